#include "library/batch.h"

void batch_close(Batch *b) {
  if (b->feeder) dnn_feeder_free(b->feeder);
  if (b->sets) dnn_data_free(b->sets);
}

bool batch_real(Machine *m, int entry, Batch *b, bool *fed) {
  const DnnProgram *p = m->s.program;
  const DnnAction *run = NULL;
  for (int i = 0; i < p->n_actions && !run; i++)
    if (p->actions[i].kind == DNN_RUN && p->actions[i].entry == entry && p->actions[i].n_feeds) run = &p->actions[i];
  *fed = run != NULL;
  if (!run) return false;
  int64_t rows;
  b->sets = dnn_data_new(p, &m->context, &m->find, &m->tokens);
  if (!b->sets || !dnn_feeder_new(b->sets, run, 0, &b->feeder, &m->error)) return false;
  dnn_feeder_start(b->feeder, 1, 0);
  int more = dnn_feeder_next(b->feeder, b->in, b->vars, &rows, &m->error);
  return more > 0 || (more == 0 && dnn_fail(&m->error, "the data has no records"));
}

void batch_made_up(Arena *a, const DnnEntry *x, int64_t rows, Batch *b) {
  for (int k = 0; k < x->n_vars && k < DNN_MAX_VARS; k++)
    b->vars[k] = x->vars[k].bound < rows ? x->vars[k].bound : rows;
  for (int i = 0; i < x->n_inputs; i++) {
    const DnnPort *t = &x->inputs[i];
    int64_t shape[DNN_MAX_RANK], n = dnn_port_shape(x, i, b->vars, shape);
    Tensor v = tensor_new(a, (DType)t->dtype, 1, &n);
    const DnnAxis *below = &t->below;
    int64_t bound = below->var >= 0 ? below->mul * b->vars[below->var] + below->add : below->var == -1 ? below->add : 0;
    if (dnn_dtype_is_float(t->dtype)) tensor_random(&v, 7 + (uint64_t)i, -1, 1);
    else tensor_random(&v, 7 + (uint64_t)i, 0, bound > 0 ? (double)bound : 2);
    b->in[i] = v.data;
  }
}
