/* What the files of tiled products share. */
#ifndef CODEGEN_TILE_H
#define CODEGEN_TILE_H
#include "codegen/lower.h"

/* How an operand gets to the register tiles. */
typedef enum Way {
  WAY_DIRECT, /* read where it lies */
  WAY_COPY,   /* packed; what lies side by side in the panel lies side by side in the operand, or is computed */
  WAY_TURN,   /* packed by transposing squares of registers */
} Way;

/* The register tiles that a target's products may take: rows, vectors. Returns how many. */
int register_tiles(const Target *t, int lanes, const int (**tile)[2]);

/* How a product is tiled: a function of bounds, target and tuning record only. */
typedef struct Tile {
  int mr, nr, lanes;  /* register tile and vector length */
  int64_t mc, nc, kc; /* block of the result, and how much of K is taken at a time */
  int64_t width;      /* rows of a packed panel of A: whole register tiles and whole vectors */
  int64_t splits;     /* pieces of K that are summed apart */
  Way a, b;
  bool kept;     /* B is packed as a whole by a kernel of its own; `prepare` takes it over when B does not change */
  bool straight; /* columns of B are one index */
  bool narrow;   /* N may be less than nr: panels of B repeat the last column */
  bool whole;    /* sums go to their place in the result at once: no epilogue, no part of a tile computed twice */
  bool by_rows;  /* in a loop: a thread takes rows, as element-wise kernels do, so that they stay in its caches */
  bool short_;   /* M may be less than mr at run time: its rows then go one by one */
  bool deep;     /* blocks of K go outside of panels: A is read once, the sums of all panels stay in the cache */
  bool parted;   /* in a loop by rows: blocks are the parts of the group's rows, with all columns */
  bool rounds;   /* blocks of K go outside of a thread's blocks, whose sums stand in workspace meanwhile */
} Tile;

/* What makes loads dearer. */
typedef struct Loads {
  bool far;     /* B comes from beyond the second cache, which gives long parts of rows sooner; few rows share that */
  bool streams; /* it comes from memory: all the more */
  bool gathers; /* each block finds B's columns anew for every row of a panel, which long rows and many of A share */
  bool apart;   /* each row of K has lines of both operands that the first cache does not hold */
} Loads;
/* The register tile of least work: whole tiles, weighed by loads per multiplication and by idle registers. Returns that
 * work, or 0 when most of it would be idle. */
double choose_register_tile(Tile *t, int64_t M, int64_t N, Loads how, const Target *cpu);

typedef struct Tiled { /* one product while it is lowered */
  const Product *p;
  Tile t;
  Dim M, N, K, B;                   /* K without its outer axes */
  Dim outer;                        /* elements of these */
  int64_t a_temp, b_temp, sum_temp; /* workspace of the panels of A and B, of the pieces' sums */
} Tiled;

/* Chooses s->t. Returns false where tiles do not pay. */
bool choose_tile(Lower *l, Tiled *s);

/* Where in batch and outer axes of K. */
typedef struct Part {
  const Idx *b;
  LExpr *ko;
} Part;
/* An operand that lies in one array: element (i, k) is arr[base + i * side + k * along]. */
typedef struct Place {
  LArr *arr;
  LExpr *base, *side, *along;
} Place;
/* Is A (or B) such an operand, i running over all rows (columns)? */
bool place_of(Lower *l, const Tiled *s, bool is_a, Part at, Place *q);
/* e = v * stride + rest with a stride that is a size. */
bool linear_in(LB *b, LExpr *e, LVar *v, LExpr **stride, LExpr **rest);
/* A variable 0 .. end that stands for an index. */
LVar *stand_in(Lower *l, const char *name, Dim end);

/* The same of the result, when storing the sum is all that there is to do. */
bool place_of_result(Lower *l, const Tiled *s, const Idx *b, Place *q);

/* A into panels [batch][M / width][outer][K][width] by a kernel of its own; rows beyond M are 0. */
void pack_a(Lower *l, const Tiled *s);

/* A panel of B: rows k0 .. k0 + kc of columns j .. j + nr into bp[kc][nr]. */
typedef struct Columns Columns;
typedef struct Panel {
  Part part;
  const Columns *c;
  LArr *bp;
  LExpr *to;               /* where in bp it begins */
  LExpr *j, *at, *k0, *kc; /* `at`: of the first column in the block */
} Panel;
/* Looks up the columns j0 .. j0 + nc of a block, where that is needed. */
const Columns *open_columns(Lower *l, const Tiled *s, const Idx *b, LExpr *j0);
void pack_b(Lower *l, const Tiled *s, const Panel *q);
/* All panels of B, [batch][N / nr][K][nr], by a kernel of its own. */
void pack_whole_b(Lower *l, const Tiled *s);

/* A block of the result while it is made. */
typedef struct Block {
  const Tiled *s;
  const Idx *b;
  LExpr *batch, *i0, *rows, *panels; /* rows of the result, register tiles of them */
  LExpr *ko, *k0, *kc, *more;
  LExpr *j0, *j, *lo, *hi; /* the first column of the block, of the panel; the part of K */
  Place a;                 /* WAY_DIRECT */
  LArr *packed;            /* else */
  LArr *bp, *cb;           /* B and where its first element is */
  LExpr *b0, *b_stride;
  LExpr *sums, *end; /* where in cb the panel's sums begin; the end of the block's columns */
  LExpr *first;      /* where in cb the block's sums begin */
  Place c;           /* of the result, when tiles store to it */
  bool once;         /* a register tile's sums go through the epilogue before the next one */
} Block;
/* With each row of K a register tile may ask for so many elements of the next panel, of `nr` columns, that all tiles of
 * `rows` rows bring the whole; 0 where that would be more than a line. */
int64_t fetch_step(int64_t rows, int mr, int nr, int64_t size);
/* What a register tile asks for by itself, if it does: mr rows of some arrays, `side` elements apart, and a line of A
 * that is `line` elements further; or `side` elements of at[0] with each row of K. */
typedef struct Ahead {
  Fetch fetch;
  CallArg at[FETCHED_IN_TILE];
  int64_t side;
  LExpr *line;
} Ahead;
/* While a panel of B is used, the next one comes nearer: a part of it with each register tile, the one at `row` of A.
 * Where A is what comes from memory, it is the rows of the next tile instead. */
void fetch_panel(Lower *l, const Block *q, LExpr *tile, LExpr *row, Ahead *ahead);
/* What the epilogue of the mr rows from `row` on will read and write: asked for here, or by the tile. */
void fetch_results(Lower *l, const Block *q, LExpr *row, Ahead *ahead);
/* The lines of A that the tiles behind the one at `row` will read. */
void fetch_lines(Lower *l, const Block *q, LExpr *row, Ahead *ahead);

/* Adds up the pieces of K, and what follows the product. */
void sum_pieces(Lower *l, const Tiled *s);
#endif
