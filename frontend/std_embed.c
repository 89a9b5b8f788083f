/* Build-time generator: prints the files given as arguments as one C file, so that the standard library lies in the
 * binary. Usage: std_embed std/a.dnn std/b.dnn ... > std_data.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void base_name(const char *path, char *out, size_t cap) {
  const char *slash = strrchr(path, '/');
  snprintf(out, cap, "%s", slash ? slash + 1 : path);
  char *dot = strrchr(out, '.');
  if (dot) *dot = 0;
}

/* The bytes of one file as `static const char text_INDEX[]`, with a NUL behind. */
static void embed(int index, const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) {
    fprintf(stderr, "std_embed: cannot read %s\n", path);
    exit(1);
  }
  printf("static const char text_%d[] = {", index);
  int c, n = 0;
  while ((c = getc(f)) != EOF) printf("%s%d,", n++ % 24 ? "" : "\n  ", c < 128 ? c : c - 256);
  printf("\n  0};\n");
  fclose(f);
}

int main(int argc, char **argv) {
  printf("/* Made by frontend/std_embed.c from std/. */\n#include \"frontend/std.h\"\n");
  for (int i = 1; i < argc; i++) embed(i, argv[i]);
  printf("const StdFile std_files[] = {\n");
  for (int i = 1; i < argc; i++) {
    char name[256];
    base_name(argv[i], name, sizeof name);
    printf("  {\"%s\", text_%d, sizeof text_%d - 1},\n", name, i, i);
  }
  printf("};\nconst int std_count = %d;\n", argc - 1);
  return 0;
}
