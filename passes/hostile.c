#include "passes/hostile.h"
#include "base/ds.h"
#include "passes/pipeline.h"
#include <stdlib.h>
#include <string.h>

/* ---- the words ---- */

/* What stands behind `word` in the list: "" where there is no value; NULL: the word is not there. */
static const char *value_of(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *s = list; s; s = strchr(s, ',')) {
    s += *s == ',';
    if (!strncmp(s, word, n) && (!s[n] || s[n] == ',')) return "";
    if (!strncmp(s, word, n) && s[n] == '=') return s + n + 1;
  }
  return NULL;
}

/* The names between `+`; the list ends at a comma. */
static void check_passes(const char *names) {
  for (const char *s = names; *s && *s != ','; s += *s == '+') {
    size_t n = strcspn(s, "+,");
    int k = 0;
    while (k < pass_count && (strlen(pass_table[k].name) != n || strncmp(s, pass_table[k].name, n))) k++;
    if (n && k == pass_count) INTERNAL("DNN_HOSTILE: there is no pass `%.*s` to be without", (int)n, s);
    s += n;
  }
}

/* A word that is misspelt would leave a test that tests nothing. */
static void check_words(const char *list) {
  static const char *const words[] = {"text", "nodes", "steps", "without", "apart"};
  for (const char *s = list; s && *s; s += strspn(s, ",")) {
    size_t n = strcspn(s, ",="), k = 0, count = sizeof words / sizeof *words;
    while (k < count && (strlen(words[k]) != n || strncmp(s, words[k], n))) k++;
    if (k == count)
      INTERNAL("DNN_HOSTILE takes text, nodes=SEED, steps=SEED, without=PASSES and apart, not `%.*s`", (int)n, s);
    if (s[n] == '=' && !strncmp(s, "without", n)) check_passes(s + n + 1);
    s += strcspn(s, ",");
  }
}

static const char *hostile(const char *word) {
  const char *list = getenv("DNN_HOSTILE");
  if (list) check_words(list);
  return value_of(list, word);
}

static uint64_t seed_of(const char *word) {
  const char *v = hostile(word);
  return v ? strtoull(v, NULL, 10) + 1 : 0;
}

bool hostile_text(void) { return hostile("text") != NULL; }
bool hostile_apart(void) { return hostile("apart") != NULL; }
uint64_t hostile_nodes(void) { return seed_of("nodes"); }
uint64_t hostile_steps(void) { return seed_of("steps"); }

bool hostile_without(const char *pass) {
  static const char *const needed[] = {"expand", "trim", "dce", "keep"};
  const char *v = hostile("without");
  size_t n = strlen(pass);
  for (int i = 0; i < 4; i++)
    if (!strcmp(pass, needed[i])) return false;
  for (; v && *v && *v != ','; v += strcspn(v, "+,"), v += *v == '+')
    if (strcspn(v, "+,") == n && !strncmp(v, pass, n)) return true;
  return false;
}

/* splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
int hostile_pick(uint64_t *state, int n) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (int)((z ^ z >> 31) % (uint64_t)n);
}

/* ---- another order of nodes ---- */

/* The users of node n are users[first[n]] .. users[first[n + 1] - 1], one for each operand. */
typedef struct Users {
  int *first;
  NodeId *users;
} Users;

static Users find_users(const Graph *g, NodeId n_nodes) {
  Users u = {zeroed(n_nodes + 2, sizeof(int)), NULL};
  for (NodeId n = 1; n < n_nodes; n++)
    for (int k = 0; k < g->nodes[n].n_in; k++) u.first[g->nodes[n].in[k] + 1]++;
  for (NodeId n = 0; n <= n_nodes; n++) u.first[n + 1] += u.first[n];
  u.users = zeroed((size_t)u.first[n_nodes] + 1, sizeof *u.users);
  int *at = zeroed(n_nodes + 1, sizeof *at);
  memcpy(at, u.first, n_nodes * sizeof *at);
  for (NodeId n = 1; n < n_nodes; n++)
    for (int k = 0; k < g->nodes[n].n_in; k++) u.users[at[g->nodes[n].in[k]]++] = n;
  free(at);
  return u;
}

static Node renamed(const Graph *g, NodeId n, const NodeId *map) {
  Node d = g->nodes[n];
  NodeId *in = arena_array(g->arena, NodeId, d.n_in + 1);
  for (int k = 0; k < d.n_in; k++) in[k] = map[d.in[k]];
  d.in = in;
  return d;
}

void hostile_shuffle(Graph *g, uint64_t seed) {
  NodeId n_nodes = (NodeId)arrlen(g->nodes);
  Users u = find_users(g, n_nodes);
  int *waits = zeroed(n_nodes + 1, sizeof *waits);
  NodeId *map = zeroed(n_nodes + 1, sizeof *map), *ready = NULL;
  Node *nodes = NULL;
  arrput(nodes, (Node){0});
  for (NodeId n = 1; n < n_nodes; n++) {
    waits[n] = g->nodes[n].n_in;
    if (!waits[n]) arrput(ready, n);
    for (int k = 0; k < g->nodes[n].n_regions; k++) hostile_shuffle(g->nodes[n].regions[k], seed + n);
  }
  while (arrlen(ready)) {
    int at = hostile_pick(&seed, (int)arrlen(ready));
    NodeId n = ready[at];
    arrdelswap(ready, at);
    arrput(nodes, renamed(g, n, map));
    map[n] = (NodeId)arrlen(nodes) - 1;
    for (int k = u.first[n]; k < u.first[n + 1]; k++)
      if (!--waits[u.users[k]]) arrput(ready, u.users[k]);
  }
  for (int i = 0; i < (int)arrlen(g->outputs); i++) g->outputs[i] = map[g->outputs[i]];
  arrfree(g->nodes);
  g->nodes = nodes;
  arrfree(ready);
  free(map), free(waits), free(u.first), free(u.users);
}
