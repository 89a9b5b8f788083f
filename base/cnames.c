#include "base/cnames.h"
#include <stddef.h>
#include <string.h>

static const char *const c_words[] = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float",
    "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "alignas", "alignof",
    "bool", "constexpr", "false", "nullptr", "static_assert", "thread_local", "true", "typeof", "asm", "class",
    "delete", "new", "operator", "private", "protected", "public", "template", "this", "throw", "try", "catch", "using",
    "namespace", "virtual", "friend", "export", "explicit", "mutable", "typename", "and", "or", "not", "xor", "main",
    "linux", "unix", "and_eq", "or_eq", "not_eq", "bitand", "bitor", "compl", "xor_eq", "concept", "requires",
    "decltype", "noexcept",
    /* names of the headers that the interface's parameters would hide or be replaced by */
    "NULL", "EOF", "NAN", "INFINITY", "HUGE_VAL", "stdin", "stdout", "stderr", "errno", "int8_t", "int32_t", "int64_t",
    "uint8_t", "uint16_t", "uint32_t", "size_t", "offsetof", "DnnContext"};

/* C17 7 and POSIX.1-2017, as far as the C library's headers declare them. */
static const char *const c_functions[] = {
    "abs",        "access",   "acct",    "alarm",    "alloca",   "asctime",   "atexit",   "atof",     "atoi",
    "atol",       "atoll",    "bcmp",    "bcopy",    "brk",      "bsearch",   "bzero",    "calloc",   "chdir",
    "chmod",      "chown",    "chroot",  "clock",    "close",    "compress",  "connect",  "creat",    "crypt",
    "ctime",      "daemon",   "deflate", "difftime", "div",      "dup",       "environ",  "execl",    "execv",
    "exit",       "fclose",   "fcntl",   "fdopen",   "feof",     "ferror",    "fflush",   "ffs",      "fgetc",
    "fgets",      "fileno",   "fopen",   "fork",     "fprintf",  "fputc",     "fputs",    "fread",    "free",
    "freopen",    "fscanf",   "fseek",   "fstat",    "fsync",    "ftell",     "fwrite",   "getc",     "getchar",
    "getcwd",     "getenv",   "getline", "getopt",   "getpid",   "getw",      "gmtime",   "index",    "inflate",
    "isalnum",    "isalpha",  "isascii", "isblank",  "iscntrl",  "isdigit",   "isgraph",  "isfinite", "isinf",
    "isnan",      "isnormal", "islower", "isprint",  "ispunct",  "isspace",   "isupper",  "isxdigit", "kill",
    "labs",       "ldiv",     "link",    "llabs",    "lldiv",    "localtime", "lseek",    "malloc",   "memchr",
    "memcmp",     "memcpy",   "memmove", "memset",   "mkdir",    "mktime",    "mmap",     "munmap",   "nanosleep",
    "nice",       "open",     "optarg",  "optind",   "pause",    "perror",    "pipe",     "popen",    "printf",
    "profil",     "putc",     "putchar", "putenv",   "puts",     "putw",      "qsort",    "raise",    "rand",
    "random",     "read",     "realloc", "realpath", "remove",   "rename",    "revoke",   "rewind",   "rindex",
    "rmdir",      "sbrk",     "scandir", "scanf",    "select",   "setbuf",    "setenv",   "setsid",   "setstate",
    "signal",     "signbit",  "signgam", "sleep",    "snprintf", "sprintf",   "srand",    "srandom",  "sscanf",
    "stat",       "strcat",   "strchr",  "strcmp",   "strcoll",  "strcpy",    "strcspn",  "strdup",   "strerror",
    "strftime",   "strlen",   "strncat", "strncmp",  "strncpy",  "strpbrk",   "strrchr",  "strsep",   "strspn",
    "strstr",     "strtod",   "strtof",  "strtok",   "strtol",   "strtoll",   "strtoul",  "strxfrm",  "swab",
    "symlink",    "sync",     "syscall", "sysconf",  "system",   "time",      "timezone", "daylight", "tmpfile",
    "tmpnam",     "toascii",  "tolower", "toupper",  "truncate", "ttyname",   "tzname",   "tzset",    "umask",
    "uncompress", "ungetc",   "unlink",  "unsetenv", "usleep",   "vfork",     "vhangup",  "wait",     "write",
    "tm",         "div_t",    "ldiv_t"};
/* Of math.h: also with f or l behind them. */
static const char *const c_maths[] = {
    "acos",  "acosh",     "asin",   "asinh", "atan",   "atan2",  "atanh",   "cbrt",      "ceil",        "copysign",
    "cos",   "cosh",      "drem",   "erf",   "erfc",   "exp",    "exp10",   "exp2",      "expm1",       "fabs",
    "fdim",  "finite",    "floor",  "fma",   "fmax",   "fmin",   "fmod",    "frexp",     "gamma",       "hypot",
    "ilogb", "j0",        "j1",     "jn",    "ldexp",  "lgamma", "llrint",  "llround",   "log",         "log10",
    "log1p", "log2",      "logb",   "lrint", "lround", "modf",   "nan",     "nearbyint", "nextafter",   "nexttoward",
    "pow",   "remainder", "remquo", "rint",  "round",  "scalb",  "scalbln", "scalbn",    "significand", "sin",
    "sinh",  "sqrt",      "tan",    "tanh",  "tgamma", "trunc",  "y0",      "y1",        "yn"};

static bool among(const char *const *list, size_t n, const char *s, size_t len) {
  for (size_t i = 0; i < n; i++)
    if (strlen(list[i]) == len && !memcmp(list[i], s, len)) return true;
  return false;
}
#define AMONG(list, s, len) among(list, sizeof(list) / sizeof *(list), s, len)

bool c_is_word(const char *s) { return AMONG(c_words, s, strlen(s)); }

bool c_is_global(const char *s) {
  static const char *const families[] = {"dnn_", "Dnn", "omp_", "pthread_", "atomic_", "sched_"};
  size_t n = strlen(s);
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    if (!strncmp(s, families[i], strlen(families[i]))) return true;
  bool suffix = n > 1 && (s[n - 1] == 'f' || s[n - 1] == 'l');
  return AMONG(c_functions, s, n) || AMONG(c_maths, s, n) || (suffix && AMONG(c_maths, s, n - 1));
}
