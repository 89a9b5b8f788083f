/* The syntax tree as text, for tests: places, layout and comments do not show, documentation does. */
#ifndef FRONTEND_AST_DUMP_H
#define FRONTEND_AST_DUMP_H
#include "base/buf.h"
#include "frontend/ast.h"

/* One parenthesised form for each item; statements stand on their own lines. */
void ast_dump(const AstFile *f, Buf *out);
#endif
