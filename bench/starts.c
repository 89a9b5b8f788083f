/* Runs of a command, from exec to exit, as a contestant (bench/serve.h): `starts COMMAND [ARG...]`. A small process
 * starts it, since what starting costs goes with the size of the one that does. What the command prints is not read. */
#include "bench/serve.h"
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;
typedef struct Command {
  char **words;
  posix_spawn_file_actions_t quiet;
} Command;

static const char *once(void *user) {
  const Command *c = user;
  pid_t pid;
  int status;
  if (posix_spawnp(&pid, c->words[0], &c->quiet, NULL, c->words, environ)) return "the command does not start";
  if (waitpid(pid, &status, 0) != pid || status) return "the command fails";
  return NULL;
}

int main(int argc, char **argv) {
  Command c = {.words = argv + 1};
  char line[64];
  if (argc < 2) return fputs("usage: starts COMMAND [ARG...]\n", stderr), 2;
  posix_spawn_file_actions_init(&c.quiet);
  posix_spawn_file_actions_addopen(&c.quiet, 1, "/dev/null", O_WRONLY, 0);
  puts("ready");
  while (fflush(stdout), fgets(line, sizeof line, stdin)) {
    const char *error = serve_time(strtod(line, NULL), once, &c);
    if (error) printf("error %s\n", error);
  }
  return 0;
}
