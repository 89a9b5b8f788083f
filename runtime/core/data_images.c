/* Pictures of a folder, and pictures with boxes.
 *
 * images: DIR/CLASS/picture, the label being the class's place among the folders in the order of their bytes; without
 *   folders DIR/picture. Pictures in the order of their names.
 * boxes: Pascal VOC (Everingham and others, 2010), DIR/Annotations/NAME.xml with pictures in DIR/JPEGImages, DIR/images
 * or DIR; or a table DIR/boxes.csv with columns image, class, xmin, ymin, xmax, ymax, one line per box, and the
 * pictures as one idx file NAME-idx4-ubyte[.gz] u8[n, h, w, channels], `image` being a number. Corners are pixels; they
 * become shares of width and height. Where boxes of a table reach beyond its pictures, they were drawn on pictures k
 * times as large, k the smallest whole number for which all fit. Boxes without area are left out; classes are numbered
 * in the order of their bytes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64 /* on 32-bit machines too */
#include "runtime/core/picture.h"
#include "runtime/core/ragged.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_folder(const char *path) {
  struct stat st;
  return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* What all pictures become: channels, height and width of the field `image`; false when it is no picture of `size`. */
typedef struct Shape {
  int field, channels;
  int64_t height, width;
} Shape;

static bool image_shape(const DnnData *s, const DnnData *typed, Shape *shape, DnnError *e) {
  *shape = (Shape){
      .field = dnn_field_named(typed, "image"), .height = (int64_t)s->args[1].num, .width = (int64_t)s->args[2].num};
  const DnnPort *p = shape->field >= 0 ? &typed->fields[shape->field] : NULL;
  bool good = p && p->dtype == DNN_U8 && (p->rank == 2 || p->rank == 3);
  shape->channels = good && p->rank == 3 ? (int)p->axes[0].add : 1;
  good = good && (shape->channels == 1 || shape->channels == 3) && p->axes[p->rank - 2].add == shape->height &&
         p->axes[p->rank - 1].add == shape->width;
  return good || dnn_fail(e,
                          "%s: pictures of this size are declared `image: u8[3, %lld, %lld]`, or with one channel, or "
                          "without the axis",
                          s->place, (long long)shape->height, (long long)shape->width);
}

/* Room for one more picture at the end of *base. */
static unsigned char *next_image(unsigned char **base, int64_t n, int64_t bytes, int64_t *room) {
  if (n == *room) {
    int64_t size;
    if (__builtin_mul_overflow(*room = *room ? *room * 2 : 8, bytes, &size) || size > dnn_memory_limit()) return NULL;
    unsigned char *more = realloc(*base, (size_t)size);
    if (!more) return NULL;
    *base = more;
  }
  return *base + n * bytes;
}

static bool fit_image(const char *path, const DnnPicture *p, const Shape *shape, unsigned char *to, DnnError *e) {
  if (to && dnn_picture_fit(p, shape->channels, shape->height, shape->width, to)) return true;
  return dnn_fail(e, "%s: no memory for the picture", path);
}

/* Gives the pictures to the set. */
static void keep_images(DnnSet *set, const Shape *shape, unsigned char *base, int64_t n) {
  set->fields[shape->field].base = base;
  set->n = n;
}

/* ---- images ---- */
typedef struct Images {
  Shape shape;
  unsigned char *base;
  int32_t *labels;
  int64_t n, room, label_room, bytes;
} Images;

static bool add_folder(Images *m, const char *dir, int label, DnnError *e) {
  int n;
  char **names = dnn_folder_names(dir, &n);
  bool ok = true;
  for (int i = 0; ok && i < n; i++) {
    if (!dnn_picture_name(names[i])) continue;
    char *path = dnn_path_join(dir, names[i]);
    DnnPicture p = {0};
    ok = path ? dnn_picture_read(path, &p, e) : dnn_fail(e, "no memory");
    ok = ok && fit_image(path, &p, &m->shape, next_image(&m->base, m->n, m->bytes, &m->room), e);
    if (ok && m->n == m->label_room) {
      int32_t *more = realloc(m->labels, (size_t)(m->label_room = m->room) * sizeof *more);
      if (more) m->labels = more;
      else ok = dnn_fail(e, "no memory");
    }
    if (ok) m->labels[m->n++] = label;
    free(p.pixels), free(path);
  }
  dnn_folder_names_free(names, n);
  return ok;
}

static bool add_classes(Images *m, const char *dir, bool *any, DnnError *e) {
  int n, label = 0;
  char **names = dnn_folder_names(dir, &n);
  bool ok = true;
  for (int i = 0; ok && i < n; i++) {
    char *path = dnn_path_join(dir, names[i]);
    if (path && is_folder(path)) ok = add_folder(m, path, label++, e);
    free(path);
  }
  dnn_folder_names_free(names, n);
  *any = label > 0;
  return ok;
}

bool dnn_open_images(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  char *dir;
  Images m = {0};
  bool classes = false;
  if (!image_shape(s, typed, &m.shape, e) || !dnn_data_folder(&d->opts, s->place, s->args[0].str, &dir, e))
    return false;
  m.bytes = set->fields[m.shape.field].bytes;
  bool ok = add_classes(&m, dir, &classes, e) && (classes || add_folder(&m, dir, 0, e));
  if (ok && !m.n) ok = dnn_fail(e, "%s: holds no pictures", dir);
  for (int i = 0; ok && i < typed->n_fields; i++) {
    if (i == m.shape.field) continue;
    if (strcmp(typed->fields[i].name, "label") || !classes)
      ok = dnn_fail(e, "%s: pictures of %s give no field `%s`", s->place, classes ? "folders" : "one folder",
                    typed->fields[i].name);
    else ok = dnn_take_numbers(dir, s, typed, set, i, DNN_I32, m.labels, m.n, e);
  }
  if (ok) keep_images(set, &m.shape, m.base, m.n);
  else free(m.base);
  free(m.labels), free(dir);
  return ok;
}

/* ---- boxes ---- */
typedef struct Box {
  int64_t image, line; /* line: among all boxes */
  int32_t kind;
  double at[4]; /* x0 y0 x1 y1 in pixels, then in shares */
} Box;

typedef struct Boxes {
  const char *dir;
  Shape shape;
  Box *boxes;
  int64_t n, room;
  DnnWordTable kinds;
  unsigned char *base;
  int64_t images, image_room, bytes;
} Boxes;

static bool add_box(Boxes *b, int64_t image, const char *kind, int64_t length, const double *at, double width,
                    double height, DnnError *e) {
  double limit[2] = {width, height};
  Box x = {.image = image, .line = b->n};
  for (int k = 0; k < 4; k++) {
    double v = at[k] / limit[k & 1];
    x.at[k] = v < 0 ? 0 : v > 1 ? 1 : v;
  }
  x.kind = (int32_t)dnn_word_add(&b->kinds, kind, length);
  if (x.kind < 0) return dnn_fail(e, "no memory");
  if (!(x.at[2] > x.at[0] && x.at[3] > x.at[1])) return true;
  if (b->n == b->room) {
    Box *more = realloc(b->boxes, (size_t)(b->room = b->room * 2 + 256) * sizeof *more);
    if (!more) return dnn_fail(e, "no memory");
    b->boxes = more;
  }
  b->boxes[b->n++] = x;
  return true;
}

/* The text between <tag> and </tag> from s on, before `end`; *n its length. NULL: there is none. */
static const char *element(const char *s, const char *end, const char *tag, int64_t *n) {
  char open[40], close[40];
  snprintf(open, sizeof open, "<%s>", tag), snprintf(close, sizeof close, "</%s>", tag);
  const char *from = memmem(s, (size_t)(end - s), open, strlen(open));
  if (!from) return NULL;
  from += strlen(open);
  const char *to = memmem(from, (size_t)(end - from), close, strlen(close));
  if (!to) return NULL;
  *n = to - from;
  return from;
}

/* The number in an element; false when there is none, or one that no picture has. */
static bool number_in(const char *s, const char *end, const char *tag, double *v) {
  int64_t n;
  const char *t = element(s, end, tag, &n);
  char text[40], *after;
  if (!t || n < 1 || n >= (int64_t)sizeof text) return false;
  memcpy(text, t, (size_t)n), text[n] = 0;
  *v = strtod(text, &after);
  return after != text && *v >= -1e9 && *v <= 1e9;
}

static bool voc_objects(Boxes *b, const char *path, const char *s, const char *end, double width, double height,
                        DnnError *e) {
  int64_t n;
  for (const char *object; (object = element(s, end, "object", &n));) {
    const char *stop = object + n, *kind, *box;
    int64_t length, box_length;
    double at[4];
    kind = element(object, stop, "name", &length);
    box = element(object, stop, "bndbox", &box_length);
    if (!kind || !box || !number_in(box, box + box_length, "xmin", &at[0]) ||
        !number_in(box, box + box_length, "ymin", &at[1]) || !number_in(box, box + box_length, "xmax", &at[2]) ||
        !number_in(box, box + box_length, "ymax", &at[3]))
      return dnn_fail(e, "%s: an <object> at byte %lld lacks <name> or a whole <bndbox>", path,
                      (long long)(object - s));
    if (!add_box(b, b->images, kind, length, at, width, height, e)) return false;
    s = stop;
  }
  return true;
}

/* DIR/JPEGImages/NAME, DIR/images/NAME or DIR/NAME; NULL when it is nowhere. */
static char *find_picture(const char *dir, const char *name) {
  static const char *const folders[] = {"JPEGImages", "images", ""};
  for (int i = 0; i < 3; i++) {
    char *sub = dnn_path_join(dir, *folders[i] ? folders[i] : "."), *path = sub ? dnn_path_join(sub, name) : NULL;
    free(sub);
    if (path && dnn_file_exists(path)) return path;
    free(path);
  }
  return NULL;
}

static bool voc_picture(Boxes *b, const char *xml, const char *name, DnnPicture *p, DnnError *e) {
  char *path = strchr(name, '/') ? NULL : find_picture(b->dir, name);
  if (!path) return dnn_fail(e, "%s: the picture `%s` is not found in %s", xml, name, b->dir);
  bool ok = dnn_picture_read(path, p, e) &&
            fit_image(path, p, &b->shape, next_image(&b->base, b->images, b->bytes, &b->image_room), e);
  free(path);
  return ok;
}

static bool read_voc_file(Boxes *b, const char *path, DnnError *e) {
  DnnBytes x;
  DnnPicture p = {0};
  char name[256];
  int64_t n;
  if (!dnn_file_read(path, &x, e)) return false;
  const char *s = (char *)x.data, *end = s + x.size, *file = element(s, end, "filename", &n);
  bool ok = (file && n > 0 && n < (int64_t)sizeof name) || dnn_fail(e, "%s: has no <filename>", path);
  if (ok) {
    memcpy(name, file, (size_t)n), name[n] = 0;
    ok = voc_picture(b, path, name, &p, e) && voc_objects(b, path, s, end, (double)p.width, (double)p.height, e);
  }
  b->images += ok;
  free(p.pixels), free(x.data);
  return ok;
}

static bool read_voc(Boxes *b, const char *dir, DnnError *e) {
  int n;
  char **names = dnn_folder_names(dir, &n);
  bool ok = true;
  for (int i = 0; ok && i < n; i++) {
    size_t k = strlen(names[i]);
    if (k < 5 || strcmp(names[i] + k - 4, ".xml")) continue;
    char *path = dnn_path_join(dir, names[i]);
    ok = path ? read_voc_file(b, path, e) : dnn_fail(e, "no memory");
    free(path);
  }
  dnn_folder_names_free(names, n);
  return ok;
}

static char *find_idx(const char *dir) {
  int n;
  char **names = dnn_folder_names(dir, &n), *found = NULL;
  for (int i = 0; i < n && !found; i++)
    if (strstr(names[i], "idx4-ubyte")) found = dnn_path_join(dir, names[i]);
  dnn_folder_names_free(names, n);
  return found;
}

static bool take_idx(Boxes *b, const char *path, DnnTensor *t, DnnError *e) {
  if (!dnn_idx_read(path, t, e)) return false;
  if (t->rank != 4 || t->dtype != DNN_U8 || (t->shape[3] != 1 && t->shape[3] != 3) || t->shape[1] < 1 ||
      t->shape[2] < 1)
    return dnn_fail(e, "%s: pictures are u8[n, height, width, 3] or with one channel", path);
  for (int64_t i = 0; i < t->shape[0]; i++, b->images++) {
    DnnPicture p = {t->shape[2], t->shape[1], (int)t->shape[3],
                    (unsigned char *)t->data + i * t->shape[1] * t->shape[2] * t->shape[3]};
    if (!fit_image(path, &p, &b->shape, next_image(&b->base, i, b->bytes, &b->image_room), e)) return false;
  }
  return true;
}

static bool table_columns(const DnnCsv *c, int32_t *class_at, DnnTensor t[5], DnnError *e) {
  static const char *const names[] = {"image", "xmin", "ymin", "xmax", "ymax"};
  int64_t first = 0;
  for (int k = 0; k < 5; k++) {
    int32_t column = 0;
    if (!dnn_csv_column(c, names[k], &column, &first, e) ||
        !dnn_csv_read(c, column, 1, k ? DNN_F64 : DNN_I64, &t[k], e))
      return false;
  }
  return dnn_csv_column(c, "class", class_at, &first, e);
}

static bool add_rows(Boxes *b, const DnnCsv *c, const DnnTensor *pictures, int32_t class_at, DnnTensor t[5],
                     DnnError *e) {
  double width = (double)pictures->shape[2], height = (double)pictures->shape[1], times = 1;
  for (int64_t i = 0; i + 1 < c->rows; i++)
    for (int k = 0; k < 4; k++) {
      double v = ((double *)t[k + 1].data)[i], of = v / (k & 1 ? height : width);
      if (!(v >= -1e9 && v <= 1e9))
        return dnn_fail(e, "%s:%lld: %g is no corner of a box", c->path, (long long)i + 2, v);
      if (of > times) times = (double)(int64_t)of + ((double)(int64_t)of < of);
    }
  for (int64_t i = 0; i + 1 < c->rows; i++) {
    const char *kind = c->cells[(i + 1) * c->columns + class_at].text;
    int64_t image = ((int64_t *)t[0].data)[i];
    double at[4];
    for (int k = 0; k < 4; k++) at[k] = ((double *)t[k + 1].data)[i];
    if (image < 0 || image >= b->images)
      return dnn_fail(e, "%s:%lld: there is no picture %lld; there are %lld", c->path, (long long)i + 2,
                      (long long)image, (long long)b->images);
    if (!add_box(b, image, kind, (int64_t)strlen(kind), at, width * times, height * times, e)) return false;
  }
  return true;
}

static bool read_boxes_table(Boxes *b, DnnError *e) {
  char *table = dnn_path_join(b->dir, "boxes.csv"), *idx = find_idx(b->dir);
  DnnCsv c = {0};
  DnnTensor pictures = {0}, t[5] = {0};
  int32_t class_at = 0;
  bool ok = (table && dnn_file_exists(table) && idx) ||
            dnn_fail(e, "%s: holds neither a folder Annotations nor boxes.csv and an idx4-ubyte file", b->dir);
  ok = ok && take_idx(b, idx, &pictures, e) && dnn_csv_open(table, &c, e);
  ok = ok && table_columns(&c, &class_at, t, e) && add_rows(b, &c, &pictures, class_at, t, e);
  for (int k = 0; k < 5; k++) dnn_tensor_free(&t[k]);
  if (c.path) dnn_csv_close(&c);
  dnn_tensor_free(&pictures);
  free(table), free(idx);
  return ok;
}

static int by_image(const void *a, const void *b) {
  const Box *x = a, *y = b;
  if (x->image != y->image) return x->image < y->image ? -1 : 1;
  return (x->line > y->line) - (x->line < y->line);
}

/* Numbers of classes in the order of their bytes. */
static int32_t *class_order(const DnnWordTable *k) {
  int32_t *order = calloc((size_t)k->n + 1, sizeof *order);
  for (int64_t i = 0; order && i < k->n; i++)
    for (int64_t j = 0; j < k->n; j++) {
      int64_t n = k->start[i + 1] - k->start[i], m = k->start[j + 1] - k->start[j], least = n < m ? n : m;
      int c = memcmp(k->bytes + k->start[j], k->bytes + k->start[i], (size_t)least);
      order[i] += c < 0 || (c == 0 && m < n);
    }
  return order;
}

static bool take_boxes(const Boxes *b, const DnnData *s, const DnnData *typed, DnnSet *set, int field,
                       const int32_t *order, DnnError *e) {
  bool box = !strcmp(typed->fields[field].name, "box");
  DnnGather g = {0};
  bool ok = true;
  for (int64_t i = 0, k = 0; ok && i < b->images; i++) {
    for (; ok && k < b->n && b->boxes[k].image == i; k++) {
      float at[4];
      for (int j = 0; j < 4; j++) at[j] = (float)b->boxes[k].at[j];
      ok = box ? dnn_gather_add(&g, at, sizeof at) : dnn_gather_add(&g, &order[b->boxes[k].kind], 4);
    }
    ok = ok && dnn_gather_end(&g);
  }
  if (!ok) dnn_fail(e, "%s: no memory for its boxes", b->dir);
  ok = ok && dnn_take_ragged(b->dir, s, typed, set, field, &g, box ? DNN_F32 : DNN_I32, box ? 4 : 1, e);
  dnn_gather_free(&g);
  return ok;
}

bool dnn_open_boxes(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  char *dir;
  Boxes b = {0};
  if (!image_shape(s, typed, &b.shape, e) || !dnn_data_folder(&d->opts, s->place, s->args[0].str, &dir, e))
    return false;
  b.dir = dir, b.bytes = set->fields[b.shape.field].bytes;
  char *voc = dnn_path_join(dir, "Annotations");
  bool ok = voc && is_folder(voc) ? read_voc(&b, voc, e) : read_boxes_table(&b, e);
  if (ok && !b.images) ok = dnn_fail(e, "%s: holds no pictures", dir);
  if (ok && b.n) qsort(b.boxes, (size_t)b.n, sizeof *b.boxes, by_image);
  int32_t *order = class_order(&b.kinds);
  if (ok && !order) ok = dnn_fail(e, "no memory");
  for (int i = 0; ok && i < typed->n_fields; i++) {
    const char *name = typed->fields[i].name;
    if (i == b.shape.field || dnn_is_count(typed, i)) continue;
    ok = !strcmp(name, "box") || !strcmp(name, "kind")
             ? take_boxes(&b, s, typed, set, i, order, e)
             : dnn_fail(e, "%s: pictures with boxes have image, box and kind, but no field `%s`", s->place, name);
  }
  if (ok) keep_images(set, &b.shape, b.base, b.images);
  else free(b.base);
  dnn_word_free(&b.kinds);
  free(b.boxes), free(order), free(voc), free(dir);
  return ok;
}
