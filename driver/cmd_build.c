/* dnnc build: emitted program + the runtime's sources -> one executable, by the system's compiler. */
#include "base/ds.h"
#include "driver/program.h"
#include "runtime/core/vocabulary.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void add_file(EmitFile **files, const char *name, const char *text, size_t size, EmitKind kind) {
  for (int i = 0; i < (int)arrlen(*files); i++)
    if (!strcmp((*files)[i].name, name)) return; /* emitted with the program already */
  arrput(*files, ((EmitFile){name, text, size, kind}));
}

/* main() is runtime/core/main.c, told by macros what it has. */
/* Does the training read picture files? */
static bool reads_pictures(const Prog *p) {
  bool any = false;
  for (int i = 0; i < (int)arrlen(p->data); i++)
    any |= p->data[i].op == DNN_DATA_images || p->data[i].op == DNN_DATA_boxes;
  return any;
}

static void add_main(Session *s, EmitFile **files, bool train, bool weights) {
  bool pictures = reads_pictures(s->prog);
  const char *text =
      arena_printf(s->arena, "/* The executable's main. */\n%s%s#include \"dnn_main.c\"\n",
                   train ? pictures ? "#define DNN_TRAINER\n#define DNN_PICTURES\n" : "#define DNN_TRAINER\n"
                         : "#define DNN_VOCABULARIES\n",
                   weights ? "#define DNN_EMBEDDED\n" : "");
  add_file(files, arena_printf(s->arena, "%s_main.c", s->prog->name), text, strlen(text), EMIT_PLAIN);
  if (!weights) return;
  text = arena_printf(
      s->arena,
      "/* The weights file as a section. */\n  .section .rodata\n  .balign 64\n  .globl dnn_embedded_weights\n"
      "dnn_embedded_weights:\n  .incbin \"%s.dnnw\"\n  .globl dnn_embedded_weights_end\n"
      "dnn_embedded_weights_end:\n  .byte 0\n  .section .note.GNU-stack, \"\", %%progbits\n",
      s->prog->name);
  add_file(files, "dnn_embedded.S", text, strlen(text), EMIT_ASM);
}

/* Does a port of an entry that the executable offers speak through this tokeniser? */
static bool is_spoken(const Prog *p, const char *name) {
  for (int i = 0; i < (int)arrlen(p->entries); i++) {
    const Entry *x = &p->entries[i];
    if (!x->exported) continue;
    for (int k = 0; k < (int)arrlen(x->inputs); k++)
      if (x->inputs[k].as && !strcmp(x->inputs[k].as, name)) return true;
    for (int k = 0; k < x->n_results; k++)
      if (x->outputs[k].as && !strcmp(x->outputs[k].as, name)) return true;
  }
  return false;
}

/* The vocabularies of the tokenisers that the executable speaks, read now. An exit status. */
static int add_vocabularies(Session *s, EmitFile **files) {
  DnnDataOpts find = {s->o.data, session_dir(s), 0};
  Buf b = {0}, table = {0};
  int n = 0;
  buf_str(&b, "/* The vocabularies of tokenisers. */\n#include \"dnn_tokens.h\"\n");
  for (int i = 0; i < (int)arrlen(s->prog->tokens); i++) {
    const DnnTokens *t = &s->prog->tokens[i];
    DnnBytes text;
    DnnError e;
    if (!t->from || !is_spoken(s->prog, t->name)) continue;
    if (!dnn_vocabulary_read(&find, t, &text, &e)) return program_error("%s", e.text);
    buf_printf(&b, "static const unsigned char vocabulary%d[] = {", i);
    for (int64_t k = 0; k < text.size; k++) buf_printf(&b, "%s%d,", k % 32 ? "" : "\n", text.data[k]);
    buf_str(&b, "0};\n");
    buf_printf(&table, "    {%d, %lld, (const char *)vocabulary%d},\n", i, (long long)text.size, i);
    free(text.data);
    n++;
  }
  buf_printf(&b, "extern const DnnVocabulary dnn_vocabularies[];\nextern const int dnn_n_vocabularies;\n");
  buf_printf(&b, "const DnnVocabulary dnn_vocabularies[] = {\n%s    {-1, 0, 0}};\nconst int dnn_n_vocabularies = %d;\n",
             table.s ? table.s : "", n);
  add_file(files, arena_printf(s->arena, "%s_vocabularies.c", s->prog->name), arena_strndup(s->arena, b.s, b.n), b.n,
           EMIT_PLAIN);
  buf_free(&b), buf_free(&table);
  return EXIT_OK;
}

static EmitFile *executable_files(Session *s, bool train, bool weights) {
  EmitFile *files = NULL;
  for (int i = 0; i < (int)arrlen(s->out.files); i++) arrput(files, s->out.files[i]);
  for (int i = 0; i < embedded_count; i++) {
    const EmbeddedFile *f = &embedded_files[i];
    bool source = !strcmp(f->role, "run") || (train && !strcmp(f->role, "train")) ||
                  (train && reads_pictures(s->prog) && !strcmp(f->role, "picture"));
    if (source) add_file(&files, f->name, f->text, f->size, EMIT_PLAIN);
    else if (!strcmp(f->role, "head") || !strcmp(f->role, "entry"))
      add_file(&files, f->name, f->text, f->size, EMIT_HEADER);
  }
  add_main(s, &files, train, weights);
  return files;
}

static int build(Session *s, const char *dir, const char *exe, const char *weights, bool train) {
  EmitFile *files = executable_files(s, train, weights != NULL);
  Buf why = {0};
  CcJob job = {.dir = dir,
               .out = exe,
               .kind = CC_EXE,
               .target = s->target,
               .extra_libs = !train                    ? ""
                             : reads_pictures(s->prog) ? "-l:libpng16.a -l:libjpeg.a -l:libz.a -lpthread"
                                                       : "-l:libz.a -lpthread",
               .openmp = true,
               .debug = s->o.debug,
               .time = s->o.time};
  int status = EXIT_OK;
  double t = session_clock();
  if (!train) status = add_vocabularies(s, &files);
  if (!status && !cc_write_files(dir, files, (int)arrlen(files), &why)) status = program_error("%s", why.s);
  if (!status && weights) status = emit_copy_weights(s, weights, dir);
  if (!status && !cc_build(&job, files, (int)arrlen(files), &why)) status = program_error("%s", why.s);
  session_time(s, "compile and link", t);
  arrfree(files);
  buf_free(&why);
  return status;
}

int cmd_build(const Args *a) {
  const char *exe = args_get(a, "output", NULL), *keep = args_get(a, "keep", NULL),
             *weights = args_get(a, "weights", NULL);
  if (!exe) return usage_error(a, "`-o EXE` is missing");
  struct stat st;
  if (!stat(exe, &st) && S_ISDIR(st.st_mode))
    return program_error("%s: it is a folder, where an executable is wanted", exe);
  if (weights && access(weights, R_OK)) return program_error("%s: %s", weights, strerror(errno));
  Options o;
  Session s;
  if (!program_options(a, a->operands[0], &o)) return EXIT_USAGE;
  int status = session_load(&s, &o);
  if (!status) status = session_emit(&s, session_default_target(false), false, false);
  if (!status) {
    Buf why = {0};
    const char *dir = keep ? keep : cc_temp_dir(s.arena, &why);
    status = dir ? build(&s, dir, exe, weights, args_has(a, "train")) : program_error("%s", why.s);
    if (dir && !keep) cc_remove_dir(dir);
    buf_free(&why);
  }
  return program_end(a, &s, status);
}
