/* A network from its text to its use, with libdnnc: shows what is wrong with a text, compiles the right one, trains it
 * by its `train` block and by steps on data of this program, saves it, and loads it again. */
#include <dnnc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char source[] = "use nn, loss, optim, source\n"
                             "const hidden = 8\n"
                             "model net = nn.Sequential([nn.Linear(1, hidden), tanh, nn.Linear(hidden, 1)])\n"
                             "data curve: (x: f32[1], y: f32[1]) = source.sine(1000)\n"
                             "step learn(x: f32[B <= 64, 1], y: f32[B, 1]) {\n"
                             "  let l = loss.mse(net(x), y)\n"
                             "  update net by optim.adam(0.01) on l\n"
                             "  report loss = l\n"
                             "}\n"
                             "export fn predict(x: f32[N <= 64, 1]) -> f32[N, 1] { net(x) }\n"
                             "train { epochs 3; batch 64; run learn on curve shuffled }\n";

/* Prints the loss of every epoch. */
static int listen(void *user, const dnnc_event *event) {
  (void)user;
  if (event->kind == DNNC_EPOCH) printf("epoch %d: %s %.3f\n", (int)event->epoch, event->names[0], event->value[0]);
  return 0; /* 1 would stop the training */
}

static int failed(dnnc_program *p) {
  fputs(dnnc_report(p, DNNC_PLAIN), stderr); /* diagnostics, or what dnnc_error says */
  dnnc_close(p);
  return 1;
}

int main(void) {
  /* a text with a mistake */
  dnnc_program *p = dnnc_open_text("bad.dnn", "export fn f(x: f32[3]) -> f32[4] { x }\n", 39);
  dnnc_diagnostic d;
  if (dnnc_check(p) == DNNC_PROGRAM && !dnnc_get_diagnostic(p, 0, 0, &d))
    printf("%s:%d:%d: %s [%s]\n", d.file, d.line, d.column, d.text, d.id);
  dnnc_close(p);

  /* a text of somebody else, who may not ask for much */
  p = dnnc_open_text("large.dnn", "export fn f() -> f32[100000000] { ones([100000000]) }\n", 54);
  if (dnnc_option(p, "limit", "elements=1000000") || dnnc_option(p, "limit", "nodes=100000")) return failed(p);
  if (dnnc_check(p) == DNNC_PROGRAM && !dnnc_get_diagnostic(p, 0, 0, &d))
    printf("%s:%d:%d: %s [%s]\n", d.file, d.line, d.column, d.text, d.id);
  dnnc_close(p);

  /* the program, with a wider hidden layer */
  p = dnnc_open_text("sine.dnn", source, sizeof source - 1);
  if (!p || dnnc_set(p, "hidden", "32") || dnnc_option(p, "threads", "1") || dnnc_compile(p, NULL)) return failed(p);

  /* its own training, then steps on the cosine */
  if (dnnc_train(p, &(dnnc_training){.listener = listen})) return failed(p);
  float xs[64], ys[64], loss = 0;
  dnnc_tensor in[2] = {{.dtype = DNNC_F32, .rank = 2, .shape = {64, 1}, .data = xs},
                       {.dtype = DNNC_F32, .rank = 2, .shape = {64, 1}, .data = ys}};
  dnnc_tensor out = {.data = &loss, .bytes = sizeof loss}; /* the report of `learn`, into a variable */
  for (int i = 0; i < 64; i++) xs[i] = (float)i / 10 - 3.2f, ys[i] = cosf(xs[i]);
  for (int step = 0; step < 500; step++)
    if (dnnc_call(p, "learn", in, 2, &out, 1)) return failed(p);
  printf("the cosine: loss %s\n", loss < 0.05f ? "below 0.05" : "too high");

  /* what it says before and after saving, closing, opening and loading; these outputs are the library's memory */
  dnnc_tensor before = {0}, after = {0};
  if (dnnc_call(p, "predict", in, 1, &before, 1) || dnnc_save_weights(p, "sine.dnnw", 0)) return failed(p);
  dnnc_close(p);
  p = dnnc_open_text("sine.dnn", source, sizeof source - 1);
  if (!p || dnnc_set(p, "hidden", "32") || dnnc_compile(p, "predict") || dnnc_load_weights(p, "sine.dnnw") ||
      dnnc_call(p, "predict", in, 1, &after, 1))
    return failed(p);
  printf("%d numbers, %s\n", (int)after.shape[0],
         memcmp(before.data, after.data, after.bytes) ? "others" : "the same as before");
  dnnc_tensor_free(&before);
  dnnc_tensor_free(&after);
  dnnc_close(p);
  return 0;
}
