/* What reads a run folder: `dnnc report`'s reader of tables, run.json and profile.json, and the page it makes, in which
 * no byte of the folder's files may become a tag of its own. */
#include "tests/fuzz/fuzz.h"
#include "report/report.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  if (!fuzz_files(data, n)) return 0;
  Arena *a = arena_new();
  Run run;
  Buf page = {0};
  const char *why = NULL;
  if (run_read(&run, a, fuzz_folder(), &why)) {
    Model none = {.trouble = "not read"};
    report_run(&page, &run, &none);
    FUZZ_HOLDS(page.s && !strstr(page.s, "<script") && !strstr(page.s, "<evil"));
    run_free(&run);
  } else {
    FUZZ_HOLDS(why);
  }
  if (report_is_sweep(fuzz_folder())) {
    buf_free(&page);
    if (report_sweep(&page, a, fuzz_folder(), false, &why)) FUZZ_HOLDS(!strstr(page.s, "<evil"));
  }
  buf_free(&page);
  arena_free(a);
  return 0;
}
