/* See manifest.h. Like the direct mode of ccache. */
#include "library/manifest.h"
#include "base/ds.h"
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCES "sources"
#define ENTRY "entry"
#define SEEN "seen"

/* The build of the object that holds this code: the linker's note, a hash of everything in it. */
typedef struct BuildId {
  const unsigned char *bytes;
  size_t n;
} BuildId;

/* The notes of one segment. */
static bool build_note(const char *p, const char *end, BuildId *id) {
  while (p + sizeof(ElfW(Nhdr)) <= end) {
    ElfW(Nhdr) note;
    memcpy(&note, p, sizeof note);
    const char *name = p + sizeof note, *value = name + (note.n_namesz + 3) / 4 * 4;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(name, "GNU", 4)) {
      *id = (BuildId){(const unsigned char *)value, note.n_descsz};
      return true;
    }
    p = value + (note.n_descsz + 3) / 4 * 4;
  }
  return false;
}

static int look_at_object(struct dl_phdr_info *info, size_t size, void *user) {
  static const char here;
  uintptr_t at = (uintptr_t)&here;
  bool holds = false;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *h = &info->dlpi_phdr[i];
    uintptr_t begin = info->dlpi_addr + h->p_vaddr;
    holds |= h->p_type == PT_LOAD && at >= begin && at < begin + h->p_memsz;
  }
  for (int i = 0; holds && i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *h = &info->dlpi_phdr[i];
    const char *begin = (const char *)(uintptr_t)(info->dlpi_addr + h->p_vaddr);
    if (h->p_type == PT_NOTE && build_note(begin, begin + h->p_memsz, user)) return 1;
  }
  return holds;
}

static void add_list(CacheKey *k, const char *const *list) {
  for (; list && *list; list++) cache_key_text(k, *list);
  cache_key_text(k, ""); /* no value of an option is empty */
}

static void add_number(CacheKey *k, int64_t v) { cache_key_add(k, &v, sizeof v); }

/* Everything that decides the code but the files that are used. Every such field of Options has its place here. */
static bool base_key(const Options *o, const char *text, size_t n, CacheKey *k) {
  char folder[PATH_MAX];
  BuildId id = {0};
  dl_iterate_phdr(look_at_object, &id);
  if (!id.n || !getcwd(folder, sizeof folder)) return false;
  *k = (CacheKey){{1, 1}};
  cache_key_add(k, id.bytes, id.n);
  if (!backend_key(k)) return false;
  cache_key_text(k, folder);
  cache_key_text(k, o->path);
  cache_key_add(k, text, n);
  add_list(k, o->sets);
  add_list(k, o->dims);
  cache_key_text(k, o->imports ? o->imports : "");
  cache_key_text(k, getenv("DNNC_IMPORT") ? getenv("DNNC_IMPORT") : "");
  cache_key_text(k, o->target ? o->target : "");
  cache_key_text(k, o->memory ? o->memory : "");
  add_number(k, o->units);
  add_number(k, o->no_checks);
  add_number(k, o->training);
  if (!o->plan) return true;
  Buf b = {0};
  bool ok = buf_read_file(&b, o->plan, (size_t)1 << 24);
  if (ok) cache_key_add(k, b.s ? b.s : "", b.n);
  buf_free(&b);
  return ok;
}

/* The key of a text alone. */
static CacheKey text_key(const char *text, size_t n) {
  CacheKey k = {{2, 2}};
  cache_key_add(&k, text, n);
  return k;
}

static const char *read_text(Session *s, const char *path, size_t *n) {
  Buf b = {0};
  const char *text = NULL;
  if (buf_read_file(&b, path, (size_t)1 << 28)) {
    text = arena_strndup(s->arena, b.s ? b.s : "", b.n);
    *n = b.n;
  }
  buf_free(&b);
  return text;
}

/* A line of the list, "HASH HASH NAME", against the file as it is. */
static bool same_source(Session *s, char *line, CacheKey *full) {
  char *end;
  CacheKey was = {{strtoull(line, &end, 16), strtoull(end, &end, 16)}};
  size_t n;
  const char *name = *end == ' ' ? end + 1 : "", *text = read_text(s, name, &n);
  if (!text) return false;
  CacheKey is = text_key(text, n);
  if (memcmp(&is, &was, sizeof is)) return false;
  cache_key_add(full, &is, sizeof is);
  diag_add_source(s->diag, name, text, n, 0);
  return true;
}

bool manifest_find(Session *s) {
  const Options *o = &s->o;
  size_t n;
  s->manifest = (Manifest){0};
  /* what needs the graphs beside the code, or shows how it is made */
  if (o->text || o->no_cache || o->debug || o->check || o->profile || o->verify || getenv("DNN_HOSTILE")) return false;
  double t = session_clock();
  const char *text = read_text(s, o->path, &n);
  if (!text || !base_key(o, text, n, &s->manifest.base)) return false;
  s->manifest.usable = true;
  Buf b = {0};
  bool ok = cache_read(&s->manifest.base, SOURCES, &b);
  s->manifest.compiled = !ok && cache_read(&s->manifest.base, SEEN, &b);
  s->manifest.full = s->manifest.base;
  for (char *line = ok ? b.s : NULL, *next; ok && line && *line; line = next) {
    next = line + strcspn(line, "\n");
    if (*next) *next++ = 0;
    ok = same_source(s, line, &s->manifest.full);
  }
  buf_free(&b);
  session_time(s, ok ? "sources: as they were" : "sources: new", t);
  if (!ok) s->diag = diag_new(s->arena);
  return ok;
}

static CacheKey entry_key(CacheKey full, const char *called) {
  cache_key_text(&full, called ? called : "");
  return full;
}

bool manifest_load(Session *s, const char *called) {
  CacheKey k = entry_key(s->manifest.full, called), image;
  Buf b = {0}, why = {0};
  if (cache_read(&k, ENTRY, &b) && b.n == sizeof image) {
    memcpy(&image, b.s, sizeof image);
    LoadOpts load = {.time = s->o.time};
    s->program = backend_load_image(s->arena, &image, &load, &s->backend);
  }
  buf_free(&b);
  buf_free(&why);
  if (!s->program) s->diag = diag_new(s->arena);
  else s->target = target_find(s->program->target);
  return s->program != NULL;
}

void manifest_write(const Session *s, const char *called) {
  const CacheKey *image = backend_image(s->backend);
  if (!s->manifest.usable || !image) return;
  CacheKey full = s->manifest.base;
  Buf b = {0};
  bool ok = true;
  size_t n;
  for (uint32_t i = 1; i < diag_source_count(s->diag); i++) {
    if (diag_source_is_std(s->diag, i)) continue;
    const char *name = diag_source_name(s->diag, i), *text = diag_source_text(s->diag, i, &n);
    CacheKey k = text_key(text, n);
    ok = ok && !strchr(name, '\n');
    buf_printf(&b, "%016llx %016llx %s\n", (unsigned long long)k.word[0], (unsigned long long)k.word[1], name);
    cache_key_add(&full, &k, sizeof k);
  }
  CacheKey k = entry_key(full, called);
  if (ok) cache_write(&s->manifest.base, SOURCES, b.s, b.n);
  if (ok) cache_write(&k, ENTRY, image, sizeof *image);
  buf_free(&b);
}

void manifest_mark(const Session *s) {
  if (s->manifest.usable && backend_image(s->backend)) cache_write(&s->manifest.base, SEEN, "", 0);
}
