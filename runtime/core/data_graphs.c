/* Graphs, one record each. Two layouts of a folder:
 *
 *   TUDataset (Morris and others, "TUDataset: A collection of benchmark datasets for learning with graphs", 2020):
 *     DS_A.txt "i, j" per edge, DS_graph_indicator.txt the graph of each node, both counted from 1 over all graphs;
 *     optional DS_graph_labels, DS_node_labels, DS_node_attributes, DS_edge_labels, DS_edge_attributes
 *   tables: edges.csv with columns u and v (or src and dst), nodes.csv, and optionally graphs.csv; a column `graph` in
 * the first two is the graph's number; nodes are counted from 0 within their graph, and a column `node` is not read;
 *     without `graph` all is one graph; a column `label` in graphs.csv; every other column is a number of x or edge
 *
 * Fields: x: attributes, then node labels as one-hot rows; src, dst; edge: likewise for edges; label: the graph's, in
 * an integer dtype numbered in the order of their values. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/ragged.h"
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

typedef struct Table { /* numbers, row by row */
  double *v;
  int64_t rows, columns;
} Table;

typedef struct Graphs {
  const char *dir;
  int64_t n;
  Table nodes, edges;                                             /* x and edge */
  int64_t *node_graph, *edge_graph, *src, *dst, n_nodes, n_edges; /* src, dst: within the graph */
  Table labels;
} Graphs;

static bool no_memory(const char *dir, DnnError *e) { return dnn_fail(e, "%s: no memory for its graphs", dir); }

static void free_graphs(Graphs *g) {
  free(g->nodes.v), free(g->edges.v), free(g->labels.v);
  free(g->node_graph), free(g->edge_graph), free(g->src), free(g->dst);
}

/* ---- TUDataset ---- */
/* A text file of lines of numbers between commas or blanks. */
static bool read_table(const char *path, Table *t, DnnError *e) {
  DnnBytes b;
  int64_t room = 0, used = 0, line = 1;
  memset(t, 0, sizeof *t);
  if (!dnn_file_read_gz(path, &b, e)) return false;
  bool ok = true;
  for (char *s = (char *)b.data; ok && *s; line++) {
    int64_t columns = 0;
    while (ok && *s && *s != '\n') {
      if (*s == ',' || isspace((unsigned char)*s)) {
        s++;
        continue;
      }
      char *after;
      double v = strtod(s, &after);
      if (after == s) ok = dnn_fail(e, "%s:%lld: `%.20s` is no number", path, (long long)line, s);
      if (ok && used == room) {
        double *more = realloc(t->v, (size_t)(room = room * 2 + 1024) * sizeof *more);
        if (!more) ok = no_memory(path, e);
        else t->v = more;
      }
      if (ok) t->v[used++] = v, columns++;
      s = after;
    }
    if (*s) s++;
    if (!columns) continue;
    if (ok && t->rows && columns != t->columns)
      ok = dnn_fail(e, "%s:%lld: has %lld numbers, the first line has %lld", path, (long long)line, (long long)columns,
                    (long long)t->columns);
    t->columns = columns, t->rows++;
  }
  if (ok && (int64_t)strlen((char *)b.data) != b.size)
    ok = dnn_fail(e, "%s: holds zero bytes, so it is not text", path);
  free(b.data);
  if (!ok) free(t->v), t->v = NULL;
  return ok;
}

/* PREFIX_name.txt of the folder. With `rows` >= 0 it may be missing; then it has so many rows. */
static bool read_part(const Graphs *g, const char *prefix, const char *name, int64_t rows, Table *t, DnnError *e) {
  char path[4096];
  memset(t, 0, sizeof *t);
  for (int gz = 0; gz < 2; gz++) {
    int n = snprintf(path, sizeof path, "%s/%s_%s.txt%s", g->dir, prefix, name, gz ? ".gz" : "");
    if (n >= (int)sizeof path) return dnn_fail(e, "%s: the path is too long", g->dir);
    if (!dnn_file_exists(path)) continue;
    if (!read_table(path, t, e)) return false;
    if (rows < 0 || t->rows == rows) return true;
    return dnn_fail(e, "%s: has %lld lines, not %lld", path, (long long)t->rows, (long long)rows);
  }
  return rows >= 0 || dnn_fail(e, "%s: has no %s_%s.txt", g->dir, prefix, name);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The different values of the first column in order; NULL: no memory. */
static double *kinds_of(const Table *t, int64_t *n) {
  double *v = malloc((size_t)(t->rows + 1) * sizeof *v);
  *n = 0;
  for (int64_t i = 0; v && i < t->rows; i++) v[i] = t->v[i * t->columns];
  if (v) qsort(v, (size_t)t->rows, sizeof *v, by_value);
  for (int64_t i = 0; v && i < t->rows; i++)
    if (!*n || v[*n - 1] != v[i]) v[(*n)++] = v[i];
  return v;
}

static int64_t place_in(const double *kinds, int64_t n, double v) {
  const double *at = n ? bsearch(&v, kinds, (size_t)n, sizeof v, by_value) : NULL;
  return at ? at - kinds : 0;
}

/* Attributes, then one-hot rows of labels. */
static bool features(const Graphs *g, const Table *attributes, const Table *labels, int64_t rows, Table *out,
                     DnnError *e) {
  int64_t n, a = attributes->rows ? attributes->columns : 0;
  double *kinds = kinds_of(labels, &n);
  *out = (Table){NULL, rows, a + n};
  if (kinds && n <= 4096) out->v = calloc((size_t)(rows * out->columns) + 1, sizeof *out->v);
  for (int64_t i = 0; out->v && i < rows; i++) {
    double *to = out->v + i * out->columns;
    if (a) memcpy(to, attributes->v + i * a, (size_t)a * sizeof *to);
    if (labels->rows) to[a + place_in(kinds, n, labels->v[i * labels->columns])] = 1;
  }
  free(kinds);
  if (n > 4096) return dnn_fail(e, "%s: %lld different labels are too many for one-hot rows", g->dir, (long long)n);
  return out->v || no_memory(g->dir, e);
}

static bool read_features(Graphs *g, const char *prefix, const char *what, int64_t rows, Table *out, DnnError *e) {
  char name[40];
  Table attributes = {0}, labels = {0};
  snprintf(name, sizeof name, "%s_attributes", what);
  bool ok = read_part(g, prefix, name, rows, &attributes, e);
  snprintf(name, sizeof name, "%s_labels", what);
  ok = ok && read_part(g, prefix, name, rows, &labels, e) && features(g, &attributes, &labels, rows, out, e);
  free(attributes.v), free(labels.v);
  return ok;
}

/* The graph of each node (from 0) and its number within it. */
static bool number_nodes(Graphs *g, const Table *t, int64_t *local, DnnError *e) {
  int64_t *count = calloc((size_t)t->rows + 1, sizeof *count);
  if (!count) return no_memory(g->dir, e);
  bool ok = true;
  for (int64_t i = 0; ok && i < t->rows; i++) {
    double v = t->v[i * t->columns];
    if (!(v >= 1 && v <= (double)t->rows) || v != (double)(int64_t)v) {
      ok = dnn_fail(e, "%s: node %lld belongs to graph %g, not in 1 .. %lld", g->dir, (long long)i + 1, v,
                    (long long)t->rows);
      break;
    }
    g->node_graph[i] = (int64_t)v - 1;
    if ((int64_t)v > g->n) g->n = (int64_t)v;
    local[i] = count[(int64_t)v - 1]++;
  }
  free(count);
  return ok;
}

static bool link_edges(Graphs *g, const Table *a, const int64_t *local, DnnError *e) {
  if (a->rows && a->columns != 2)
    return dnn_fail(e, "%s: an edge is two numbers, not %lld", g->dir, (long long)a->columns);
  for (int64_t i = 0; i < a->rows; i++) {
    int64_t end[2];
    for (int k = 0; k < 2; k++) {
      double v = a->v[2 * i + k];
      if (!(v >= 1 && v <= (double)g->n_nodes) || v != (double)(int64_t)v)
        return dnn_fail(e, "%s: edge %lld goes to node %g, not in 1 .. %lld", g->dir, (long long)i + 1, v,
                        (long long)g->n_nodes);
      end[k] = (int64_t)v - 1;
    }
    if (g->node_graph[end[0]] != g->node_graph[end[1]])
      return dnn_fail(e, "%s: edge %lld joins nodes of two graphs", g->dir, (long long)i + 1);
    g->edge_graph[i] = g->node_graph[end[0]], g->src[i] = local[end[0]], g->dst[i] = local[end[1]];
  }
  return true;
}

static bool make_arrays(Graphs *g, DnnError *e) {
  size_t n = (size_t)g->n_nodes + 1, m = (size_t)g->n_edges + 1;
  g->node_graph = calloc(n, 8), g->edge_graph = calloc(m, 8), g->src = calloc(m, 8), g->dst = calloc(m, 8);
  return (g->node_graph && g->edge_graph && g->src && g->dst) || no_memory(g->dir, e);
}

static bool read_tu(Graphs *g, const char *prefix, DnnError *e) {
  Table a = {0}, of = {0};
  bool ok = read_part(g, prefix, "A", -1, &a, e) && read_part(g, prefix, "graph_indicator", -1, &of, e);
  g->n_nodes = of.rows, g->n_edges = a.rows;
  int64_t *local = ok ? calloc((size_t)of.rows + 1, sizeof *local) : NULL;
  if (ok && !local) ok = no_memory(g->dir, e);
  ok = ok && make_arrays(g, e) && number_nodes(g, &of, local, e) && link_edges(g, &a, local, e) &&
       read_part(g, prefix, "graph_labels", g->n, &g->labels, e) &&
       read_features(g, prefix, "node", g->n_nodes, &g->nodes, e) &&
       read_features(g, prefix, "edge", g->n_edges, &g->edges, e);
  free(local), free(a.v), free(of.v);
  return ok;
}

/* ---- tables ---- */
static int column_named(const DnnCsv *c, const char *name) {
  for (int i = 0; i < c->columns; i++)
    if (!strcmp(c->cells[i].text, name)) return i;
  return -1;
}

static bool whole_column(const DnnCsv *c, int column, int64_t *to, DnnError *e) {
  DnnTensor t;
  if (column < 0) return true;
  if (!dnn_csv_read(c, column, 1, DNN_I64, &t, e)) return false;
  memcpy(to, t.data, (size_t)(c->rows - 1) * 8);
  dnn_tensor_free(&t);
  for (int64_t i = 0; i + 1 < c->rows; i++)
    if (to[i] < 0 || to[i] > INT32_MAX)
      return dnn_fail(e, "%s:%lld: %lld is no number of a graph or node", c->path, (long long)i + 2, (long long)to[i]);
  return true;
}

/* The columns that are none of `skip` (-1 ends it) as numbers. */
static bool rest_columns(const DnnCsv *c, const int *skip, Table *t, DnnError *e) {
  *t = (Table){NULL, c->rows - 1, 0};
  t->v = calloc((size_t)(c->rows * c->columns) + 1, sizeof *t->v);
  if (!t->v) return no_memory(c->path, e);
  int wanted = c->columns;
  for (int i = 0; skip[i] != -2; i++) wanted -= skip[i] >= 0;
  for (int k = 0; k < c->columns; k++) {
    bool left_out = false;
    for (int i = 0; skip[i] != -2; i++) left_out |= skip[i] == k;
    if (left_out) continue;
    DnnTensor one;
    if (!dnn_csv_read(c, k, 1, DNN_F64, &one, e)) return false;
    for (int64_t i = 0; i < t->rows; i++) t->v[i * wanted + t->columns] = ((double *)one.data)[i];
    dnn_tensor_free(&one);
    t->columns++;
  }
  return true;
}

static bool open_csv(const Graphs *g, const char *name, DnnCsv *c, bool *there, DnnError *e) {
  char path[4096];
  *there = false;
  for (int gz = 0; gz < 2; gz++) {
    if (snprintf(path, sizeof path, "%s/%s.csv%s", g->dir, name, gz ? ".gz" : "") >= (int)sizeof path) return true;
    if (!dnn_file_exists(path)) continue;
    *there = true;
    return dnn_csv_open(path, c, e);
  }
  return true;
}

static bool take_edges(Graphs *g, const DnnCsv *c, bool features_wanted, DnnError *e) {
  int u = column_named(c, "u"), v = column_named(c, "v"), of = column_named(c, "graph");
  if (u < 0) u = column_named(c, "src");
  if (v < 0) v = column_named(c, "dst");
  if (u < 0 || v < 0) return dnn_fail(e, "%s: has no columns u and v, nor src and dst", c->path);
  const int skip[] = {u, v, of, -2};
  return whole_column(c, of, g->edge_graph, e) && whole_column(c, u, g->src, e) && whole_column(c, v, g->dst, e) &&
         (!features_wanted || rest_columns(c, skip, &g->edges, e));
}

static bool take_labels(Graphs *g, const DnnCsv *c, DnnError *e) {
  int k = column_named(c, "label");
  if (k < 0) return true;
  DnnTensor t;
  if (!dnn_csv_read(c, k, 1, DNN_I64, &t, e)) return false;
  g->labels = (Table){calloc((size_t)c->rows, sizeof(double)), c->rows - 1, 1};
  for (int64_t i = 0; g->labels.v && i < g->labels.rows; i++) g->labels.v[i] = (double)((int64_t *)t.data)[i];
  dnn_tensor_free(&t);
  return g->labels.v || no_memory(g->dir, e);
}

static bool check_ends(const Graphs *g, DnnError *e) {
  int64_t *count = calloc((size_t)g->n + 1, sizeof *count);
  bool ok = count || no_memory(g->dir, e);
  for (int64_t i = 0; ok && i < g->n_nodes; i++) count[g->node_graph[i]]++;
  for (int64_t i = 0; ok && i < g->n_edges; i++) {
    int64_t of = g->edge_graph[i], n = of < g->n ? count[of] : 0, most = g->src[i] > g->dst[i] ? g->src[i] : g->dst[i];
    if (most >= n)
      ok = dnn_fail(e, "%s: edge %lld goes to node %lld, but graph %lld has %lld nodes", g->dir, (long long)i,
                    (long long)most, (long long)of, (long long)n);
  }
  free(count);
  return ok;
}

static bool read_tables(Graphs *g, const DnnData *typed, DnnError *e) {
  DnnCsv nodes = {0}, edges = {0}, graphs = {0};
  bool has_nodes = false, has_edges = false, has_graphs = false;
  bool ok = open_csv(g, "nodes", &nodes, &has_nodes, e) && open_csv(g, "edges", &edges, &has_edges, e) &&
            open_csv(g, "graphs", &graphs, &has_graphs, e);
  if (ok && (!has_nodes || !has_edges))
    ok = dnn_fail(e, "%s: holds neither a NAME_A.txt nor nodes.csv and edges.csv", g->dir);
  if (ok) g->n_nodes = nodes.rows - 1, g->n_edges = edges.rows - 1;
  int of = ok ? column_named(&nodes, "graph") : -1;
  const int skip[] = {of, ok ? column_named(&nodes, "node") : -1, -2};
  ok = ok && make_arrays(g, e) && whole_column(&nodes, of, g->node_graph, e) &&
       take_edges(g, &edges, dnn_field_named(typed, "edge") >= 0, e) && (!has_graphs || take_labels(g, &graphs, e)) &&
       (dnn_field_named(typed, "x") < 0 || rest_columns(&nodes, skip, &g->nodes, e));
  for (int64_t i = 0; ok && i < g->n_nodes; i++)
    if (g->node_graph[i] >= g->n) g->n = g->node_graph[i] + 1;
  if (ok && has_graphs && graphs.rows - 1 != g->n) {
    if (graphs.rows - 1 < g->n)
      ok = dnn_fail(e, "%s: has %lld graphs, but a node belongs to graph %lld", graphs.path, (long long)graphs.rows - 1,
                    (long long)g->n - 1);
    g->n = graphs.rows - 1;
  }
  ok = ok && check_ends(g, e);
  if (has_nodes) dnn_csv_close(&nodes);
  if (has_edges) dnn_csv_close(&edges);
  if (has_graphs) dnn_csv_close(&graphs);
  return ok;
}

/* ---- records ---- */
/* Rows `row[k]` of all graphs, graph after graph: those with of[i] == the graph, in their order. */
static int64_t *order_by_graph(const Graphs *g, const int64_t *of, int64_t n, int64_t **ends) {
  int64_t *at = calloc((size_t)g->n + 1, sizeof *at), *row = malloc((size_t)(n + 1) * sizeof *row);
  *ends = at;
  if (!at || !row) return free(row), NULL;
  for (int64_t i = 0; i < n; i++) at[of[i] + 1]++;
  for (int64_t i = 0; i < g->n; i++) at[i + 1] += at[i];
  for (int64_t i = 0; i < n; i++) row[at[of[i]]++] = i; /* at[k] is now the end of graph k */
  return row;
}

static bool take_rows(const Graphs *g, const DnnData *s, const DnnData *typed, DnnSet *set, int field,
                      const int64_t *of, int64_t n, const int64_t *whole, const Table *t, DnnError *e) {
  int64_t *ends, *row = order_by_graph(g, of, n, &ends), columns = whole ? 1 : t->columns;
  DnnGather got = {0};
  bool ok = row != NULL;
  for (int64_t k = 0, i = 0; ok && k < g->n; k++) {
    for (; ok && i < ends[k]; i++) {
      int32_t index = whole ? (int32_t)whole[row[i]] : 0;
      if (whole) ok = dnn_gather_add(&got, &index, 4);
      for (int64_t c = 0; ok && !whole && c < columns; c++) {
        float v = (float)t->v[row[i] * columns + c];
        ok = dnn_gather_add(&got, &v, 4);
      }
    }
    ok = ok && dnn_gather_end(&got);
  }
  if (!ok) no_memory(g->dir, e);
  ok = ok && dnn_take_ragged(g->dir, s, typed, set, field, &got, whole ? DNN_I32 : DNN_F32, columns, e);
  dnn_gather_free(&got);
  free(row), free(ends);
  return ok;
}

static bool take_graph_labels(const Graphs *g, const DnnData *s, const DnnData *typed, DnnSet *set, int field,
                              DnnError *e) {
  int64_t n;
  bool real = dnn_dtype_is_float(typed->fields[field].dtype);
  if (!g->labels.rows && g->n) return dnn_fail(e, "%s: has no labels of graphs", g->dir);
  double *kinds = kinds_of(&g->labels, &n);
  DnnTensor t;
  int64_t rows = g->n;
  if (!kinds || !dnn_tensor_new(&t, real ? DNN_F64 : DNN_I64, 1, &rows, e)) return free(kinds), no_memory(g->dir, e);
  for (int64_t i = 0; i < g->n; i++) {
    double v = g->labels.v[i * g->labels.columns];
    if (real) ((double *)t.data)[i] = v;
    else ((int64_t *)t.data)[i] = place_in(kinds, n, v);
  }
  free(kinds);
  bool ok = dnn_take_tensor(g->dir, s, &typed->fields[field], &t, false, set, &set->fields[field], e);
  dnn_tensor_free(&t);
  return ok;
}

static bool take_fields(const Graphs *g, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  for (int i = 0; i < typed->n_fields; i++) {
    const char *name = typed->fields[i].name;
    bool ok;
    if (dnn_is_count(typed, i)) continue;
    if (!strcmp(name, "x")) ok = take_rows(g, s, typed, set, i, g->node_graph, g->n_nodes, NULL, &g->nodes, e);
    else if (!strcmp(name, "src")) ok = take_rows(g, s, typed, set, i, g->edge_graph, g->n_edges, g->src, NULL, e);
    else if (!strcmp(name, "dst")) ok = take_rows(g, s, typed, set, i, g->edge_graph, g->n_edges, g->dst, NULL, e);
    else if (!strcmp(name, "edge")) ok = take_rows(g, s, typed, set, i, g->edge_graph, g->n_edges, NULL, &g->edges, e);
    else if (!strcmp(name, "label")) ok = take_graph_labels(g, s, typed, set, i, e);
    else ok = dnn_fail(e, "%s: graphs have x, src, dst, edge and label, but no field `%s`", s->place, name);
    if (!ok) return false;
  }
  return dnn_check_packed(g->dir, s, typed, set, e);
}

/* NAME of the NAME_A.txt in a folder, malloc'd; NULL: there is none, or several (in *more). */
static char *find_prefix(const char *dir, bool *more) {
  DIR *d = opendir(dir);
  char *found = NULL;
  *more = false;
  for (struct dirent *x; d && (x = readdir(d));) {
    const char *end = strstr(x->d_name, "_A.txt");
    if (!end || (end[6] && strcmp(end + 6, ".gz"))) continue;
    *more |= found != NULL;
    free(found);
    found = strndup(x->d_name, (size_t)(end - x->d_name));
  }
  if (d) closedir(d);
  return found;
}

bool dnn_open_graphs(DnnDataSets *d, const DnnData *s, const DnnData *typed, DnnSet *set, DnnError *e) {
  char *dir;
  if (!dnn_data_folder(&d->opts, s->place, s->args[0].str, &dir, e)) return false;
  bool more;
  char *prefix = find_prefix(dir, &more);
  Graphs g = {.dir = dir};
  bool ok = !more || dnn_fail(e, "%s: holds several NAME_A.txt", dir);
  ok = ok && (prefix ? read_tu(&g, prefix, e) : read_tables(&g, typed, e)) && take_fields(&g, s, typed, set, e);
  free_graphs(&g);
  free(prefix), free(dir);
  return ok;
}
