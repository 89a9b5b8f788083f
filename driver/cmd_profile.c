/* dnnc profile: where the time of training steps or of an entry point goes. */
#include "base/ds.h"
#include "driver/program.h"
#include "library/profile.h"
#include "runtime/core/file.h"
#include <errno.h>
#include <string.h>

enum { ROWS = 25, TRACED = 100 };

/* "12.3 us" */
static const char *time_text(char text[32], double s) {
  if (s >= 1) snprintf(text, 32, "%.3g s", s);
  else if (s >= 1e-3) snprintf(text, 32, "%.3g ms", 1e3 * s);
  else if (s >= 1e-6) snprintf(text, 32, "%.3g us", 1e6 * s);
  else snprintf(text, 32, "%.0f ns", 1e9 * s);
  return text;
}

/* At most `most` characters of a text in UTF-8; returns how many characters. */
static int put_short(FILE *out, const char *text, int most) {
  int n = 0, whole = 0;
  for (const char *s = text; *s; s++) whole += (*s & 0xc0) != 0x80;
  int keep = whole > most ? most - 1 : whole;
  for (const char *s = text; *s; s++) {
    n += (*s & 0xc0) != 0x80;
    if (n > keep) break;
    fputc(*s, out);
  }
  if (whole > most) fputs("…", out);
  return whole > most ? most : whole;
}
static void put_column(FILE *out, const char *text, int width) {
  int n = put_short(out, text, width);
  fprintf(out, "%*s", width - n, "");
}

static void put_share(double share) { printf("%6.1f %%", 100 * share); }

static void print_lines(const Profile *p) {
  int width = 5, n = (int)arrlen(p->lines), shown = n > ROWS ? ROWS : n;
  for (int i = 0; i < shown; i++)
    if ((int)strlen(p->lines[i].place) > width) width = (int)strlen(p->lines[i].place);
  width = width > 28 ? 28 : width < 20 ? 20 : width;
  printf("\n%-*s    share  forward gradient   update  source\n", width, "line");
  for (int i = 0; i < shown; i++) {
    const ProfileLine *x = &p->lines[i];
    put_column(stdout, *x->place ? x->place : "(no line)", width);
    put_share(x->share);
    for (int k = 0; k < PARTS; k++)
      if (x->parts[k] > 0) put_share(x->parts[k] / p->seconds);
      else printf("%8s", "");
    printf("  ");
    put_short(stdout, x->text, 110 - width - 36);
    putchar('\n');
  }
  double others = 0;
  for (int i = shown; i < n; i++) others += p->lines[i].share;
  if (n > shown) {
    char text[40];
    snprintf(text, sizeof text, "%d other lines", n - shown);
    put_column(stdout, text, width);
    put_share(others);
    putchar('\n');
  }
  for (int i = 0; i < (int)arrlen(p->rest); i++) {
    char text[60];
    snprintf(text, sizeof text, "(%s)", p->rest[i].name);
    printf("%-*s", width, text);
    put_share(p->rest[i].share);
    putchar('\n');
  }
}

static void print_kernels(const Profile *p) {
  int n = (int)arrlen(p->kernels), shown = n > ROWS ? ROWS : n, width = 6, place = 5;
  for (int i = 0; i < shown; i++) {
    if ((int)strlen(p->kernels[i].name) > width) width = (int)strlen(p->kernels[i].name);
    if ((int)strlen(p->kernels[i].place) > place) place = (int)strlen(p->kernels[i].place);
  }
  width = width > 32 ? 32 : width;
  place = place > 24 ? 24 : place;
  printf("\n%-*s  %-*s  %9s  %9s    share   GF/s   GB/s  of limit%s  what\n", width, "kernel", place, "line", "calls",
         "each", p->limits.threads > 1 ? "  threads" : "");
  double others = 0;
  for (int i = 0; i < n; i++) {
    const ProfileKernel *k = &p->kernels[i];
    char each[32];
    if (i >= shown) {
      others += k->share;
      continue;
    }
    put_column(stdout, k->name, width);
    printf("  ");
    put_column(stdout, k->place, place);
    printf("  %9lld  %9s", (long long)k->calls, time_text(each, k->seconds / (double)k->calls));
    put_share(k->share);
    double rate = k->seconds > 0 ? 1e-9 / k->seconds : 0;
    printf(" %6.3g %6.3g", k->flops * rate, k->bytes * rate);
    if (k->limit_fraction > 1 && k->by_bytes) printf("    caches");
    else if (k->limit_fraction > 0) printf("  %6.0f %%", 100 * k->limit_fraction);
    else printf("%10s", "");
    if (p->limits.threads > 1) printf("  %7.1f", k->threads);
    printf("  ");
    put_short(stdout, k->about, 46);
    putchar('\n');
  }
  if (n > shown) {
    char text[40];
    snprintf(text, sizeof text, "%d others", n - shown);
    printf("%-*s  %*s  %9s  %9s", width, text, place, "", "", "");
    put_share(others);
    putchar('\n');
  }
}

static void print_profile(const Profile *p) {
  char text[32];
  printf("%s: %lld %s of %s", session_file(&p->machine->s), (long long)p->steps, p->what,
         time_text(text, p->seconds / (double)p->steps));
  printf(" on %d thread%s%s\n", p->limits.threads, p->limits.threads > 1 ? "s" : "",
         p->made_up ? ", inputs made up" : "");
  printf("limits of the machine: %.0f GF/s, %.3g GB/s", 1e-9 * p->limits.flops, 1e-9 * p->limits.bytes);
  if (p->limits.threads > 1)
    printf("; of one thread %.0f GF/s, %.3g GB/s", 1e-9 * p->limits_of_one.flops, 1e-9 * p->limits_of_one.bytes);
  putchar('\n');
  if (p->alone > 0) printf("%.0f %% of the calls got one thread: other programs have the processors\n", 100 * p->alone);
  print_lines(p);
  print_kernels(p);
  printf("\n%-10s  kernels  waiting     rest\n", "thread");
  for (int i = 0; i < (int)arrlen(p->threads); i++) {
    const ProfileThread *t = &p->threads[i];
    printf("%-10d", i);
    put_share(t->kernels / p->seconds), put_share(t->waited / p->seconds), put_share(t->rest / p->seconds);
    putchar('\n');
  }
  printf("measuring itself takes about %.1f %% of the time\n", 100 * p->stamps / p->seconds);
}

static int write_file(const char *path, const Buf *b) {
  return file_write_atomic(path, b->s, b->n) ? program_error("%s: %s", path, strerror(errno)) : EXIT_OK;
}

/* The files that are asked for, then the tables or the JSON. */
static int put_profile(const Args *a, const Profile *p) {
  const char *out = args_get(a, "out", NULL), *trace = args_get(a, "trace", NULL);
  Buf json = {0}, events = {0};
  int status = EXIT_OK;
  DnnError e;
  profile_json(p, &json);
  if (out && !dnn_make_dir(out, &e)) status = program_error("%s", e.text);
  if (out && !status) status = write_file(arena_printf(p->machine->s.arena, "%s/profile.json", out), &json);
  if (trace && !status) {
    profile_trace(p, &events);
    status = write_file(trace, &events);
  }
  if (!status && args_has(a, "json")) fputs(json.s, stdout);
  else if (!status) print_profile(p);
  buf_free(&json), buf_free(&events);
  return status;
}

int cmd_profile(const Args *a) {
  const char *second = arrlen(a->operands) > 1 ? a->operands[1] : NULL, *entry = args_get(a, "entry", second);
  ProfileOpts o = {.traced = args_has(a, "trace") ? TRACED : 0};
  Options how;
  Machine m;
  Profile p = {0};
  const char **in;
  int n = args_many(a, "in", &in);
  if (second && strcmp(second, entry)) return usage_error(a, "two entry points: `%s` and `%s`", second, entry);
  if (n && !entry) return usage_error(a, "`--in` needs an entry point: dnnc profile %s ENTRY", a->operands[0]);
  for (int i = 0; i < n; i++)
    if (!strchr(in[i], '=') || in[i][0] == '=') return usage_error(a, "`--in %s`: NAME=VALUE is wanted", in[i]);
  if (!args_int(a, "steps", 1, 1000000000, &o.steps) || !program_options(a, a->operands[0], &how)) return EXIT_USAGE;
  how.profile = true;
  int status = machine_load(&m, &how);
  if (!status) status = machine_compile(&m, entry);
  if (!status) status = entry ? profile_entry(&m, entry, in, n, &o, &p) : profile_train(&m, &o, &p);
  if (!status) status = put_profile(a, &p);
  profile_end(&p);
  return program_machine_end(a, &m, status);
}
