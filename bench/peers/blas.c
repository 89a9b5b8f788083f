/* A library's sgemm as a contestant (bench/serve.h): `blas THREADS`. The words of a request are FORM M N K; matrices
 * are row-major, A is M x K (form tn: K x M), B is K x N (form nt: N x K). Compiled once for each library: -DOPENBLAS,
 * -DONEDNN or -DLIBXSMM. */
#include "bench/serve.h"
#if defined(OPENBLAS)
#include <cblas.h>
#elif defined(ONEDNN)
#include <dnnl.h>
#include <omp.h>
#else
#include <libxsmm.h>
#include <omp.h>
void openblas_set_num_threads(int n); /* LIBXSMM leaves to the BLAS what it does not do itself */
#endif

typedef struct Case {
  int ta, tb;
  long m, n, k;
  float *a, *b, *c;
} Case;

static const char *once(void *user) {
  const Case *c = user;
  long lda = c->ta ? c->m : c->k, ldb = c->tb ? c->k : c->n;
#if defined(OPENBLAS)
  cblas_sgemm(CblasRowMajor, c->ta ? CblasTrans : CblasNoTrans, c->tb ? CblasTrans : CblasNoTrans, (int)c->m, (int)c->n,
              (int)c->k, 1, c->a, (int)lda, c->b, (int)ldb, 0, c->c, (int)c->n);
#elif defined(ONEDNN)
  if (dnnl_sgemm(c->ta ? 'T' : 'N', c->tb ? 'T' : 'N', c->m, c->n, c->k, 1, c->a, lda, c->b, ldb, 0, c->c, c->n))
    return "dnnl_sgemm failed";
#else
  /* Column-major: C' = B' A'. */
  char ta = c->ta ? 'T' : 'N', tb = c->tb ? 'T' : 'N';
  libxsmm_blasint m = (int)c->m, n = (int)c->n, k = (int)c->k, a = (int)lda, b = (int)ldb;
  float one = 1, zero = 0;
  libxsmm_sgemm_omp(&tb, &ta, &n, &m, &k, &one, c->b, &b, c->a, &a, &zero, c->c, &n);
#endif
  return NULL;
}

static void case_end(Case *c) {
  free(c->a);
  free(c->b);
  free(c->c);
}

/* The request's case: buffers stay as long as it is the same. */
static const char *case_of(Case *c, const char *form, long m, long n, long k) {
  int ta = !strcmp(form, "tn"), tb = !strcmp(form, "nt");
  if (c->a && ta == c->ta && tb == c->tb && m == c->m && n == c->n && k == c->k) return NULL;
  if (m < 1 || n < 1 || k < 1) return "sizes are wanted";
  case_end(c);
  uint32_t random = 1;
  *c =
      (Case){ta, tb, m, n, k, serve_floats(m * k, &random), serve_floats(k * n, &random), serve_floats(m * n, &random)};
  return NULL;
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 1;
#if defined(OPENBLAS)
  openblas_set_num_threads(threads);
#elif defined(LIBXSMM)
  openblas_set_num_threads(threads);
  omp_set_num_threads(threads);
#else
  omp_set_num_threads(threads);
#endif
  Case c = {0};
  char line[256], form[3];
  puts("ready");
  while (fflush(stdout), fgets(line, sizeof line, stdin)) {
    double seconds = 0;
    long m = 0, n = 0, k = 0;
    int got = sscanf(line, "%lf gemm %2s %ld %ld %ld", &seconds, form, &m, &n, &k);
    const char *error = got == 5 ? case_of(&c, form, m, n, k) : "SECONDS gemm FORM M N K is wanted";
    if (!error) error = serve_time(seconds, once, &c);
    if (error) printf("error %s\n", error);
  }
  case_end(&c);
  return 0;
}
