/* What lies in the folder: pictures, arrays, texts, sources; and the profile. */
#include "base/ds.h"
#include "report/plot.h"
#include "report/report.h"
#include "runtime/core/tensor_file.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_PICTURE = 8 << 20, MOST_PICTURES = 48 << 20, MOST_ARRAY = 256 << 20, MOST_TEXT = 4000, MOST_ROWS = 40 };

static bool ends(const char *s, const char *ending) {
  size_t n = strlen(s), k = strlen(ending);
  return n >= k && !strcmp(s + n - k, ending);
}

/* RFC 4648, 4. */
static void put_base64(Buf *b, const unsigned char *s, int64_t n) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int64_t i = 0; i < n; i += 3) {
    uint32_t v = (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0);
    char out[4] = {digits[v >> 18], digits[v >> 12 & 63], i + 1 < n ? digits[v >> 6 & 63] : '=',
                   i + 2 < n ? digits[v & 63] : '='};
    buf_bytes(b, out, 4);
  }
}

static bool read_file(const Run *run, const RunFile *f, int64_t most, DnnBytes *bytes) {
  DnnError ignored;
  const char *path = f->bytes <= most ? run_path(run, f->name) : NULL;
  return path && dnn_file_read(path, bytes, &ignored);
}

static void put_pictures(Buf *b, const Run *run, bool *shown) {
  int64_t left = MOST_PICTURES;
  bool any = false;
  for (int i = 0; i < (int)arrlen(run->files); i++) {
    const RunFile *f = &run->files[i];
    DnnBytes bytes;
    if (!ends(f->name, ".png") || f->bytes > left || !read_file(run, f, MOST_PICTURE, &bytes)) continue;
    if (bytes.size < 33 || memcmp(bytes.data, "\x89PNG\r\n\x1a\n", 8)) {
      free(bytes.data);
      continue;
    }
    if (!any) buf_str(b, "<div class=\"pictures\">\n");
    any = shown[i] = true;
    left -= bytes.size;
    bool few = !bytes.data[16] && !bytes.data[17] && !bytes.data[18]; /* below 256 pixels wide */
    buf_printf(b, "<figure><img%s alt=\"", few ? " class=\"small\"" : "");
    buf_html(b, f->name);
    buf_str(b, "\" src=\"data:image/png;base64,");
    put_base64(b, bytes.data, bytes.size);
    buf_str(b, "\"><figcaption>");
    buf_html(b, f->name);
    buf_str(b, "</figcaption></figure>\n");
    free(bytes.data);
  }
  if (any) buf_str(b, "</div>\n");
}

static void put_texts(Buf *b, const Run *run, bool *shown) {
  for (int i = 0; i < (int)arrlen(run->files); i++) {
    const RunFile *f = &run->files[i];
    DnnBytes bytes;
    if (!ends(f->name, ".txt") || !read_file(run, f, MOST_PICTURE, &bytes)) continue;
    shown[i] = true;
    bool cut = bytes.size > MOST_TEXT;
    if (cut) bytes.data[MOST_TEXT] = 0;
    buf_str(b, "<details open><summary>");
    buf_html(b, f->name);
    buf_str(b, "</summary><pre>");
    buf_html(b, (char *)bytes.data);
    buf_str(b, cut ? " \342\200\246</pre></details>\n" : "</pre></details>\n");
    free(bytes.data);
  }
}

/* The type of an array file: f32[3, 4]. */
static void put_type(Buf *b, const Run *run, const RunFile *f) {
  DnnTensor t;
  DnnError ignored;
  char text[200];
  if (!ends(f->name, ".npy") || f->bytes > MOST_ARRAY || !dnn_npy_read(run_path(run, f->name), &t, &ignored)) return;
  buf_html(b, dnn_type_text(text, sizeof text, t.dtype, t.rank, t.shape));
  dnn_tensor_free(&t);
}

void files_section(Buf *b, const Run *run) {
  int n = (int)arrlen(run->files), rest = 0;
  bool *shown = arena_array(run->arena, bool, n + 1);
  section_begin(b, "files", "Files");
  put_pictures(b, run, shown);
  put_texts(b, run, shown);
  for (int i = 0; i < n; i++) {
    const RunFile *f = &run->files[i];
    if (shown[i]) continue;
    if (!rest++)
      buf_str(b, "<div class=\"wide\"><table><tr><th>file</th><th>array</th><th class=\"n\">size</th></tr>\n");
    buf_str(b, "<tr><td>");
    buf_html(b, f->name);
    buf_str(b, "</td><td class=\"mono\">");
    put_type(b, run, f);
    buf_str(b, "</td><td class=\"n\">");
    plot_bytes(b, (double)f->bytes);
    buf_str(b, "</td></tr>\n");
  }
  if (rest) buf_str(b, "</table></div>\n");
  section_end(b);
}

/* ---- sources ---- */

void sources_section(Buf *b, const Run *run) {
  section_begin(b, "source", "Source");
  for (int i = 0; i < (int)arrlen(run->sources); i++) {
    const RunFile *f = &run->sources[i];
    DnnBytes bytes;
    if (!read_file(run, f, MOST_PICTURE, &bytes)) continue;
    buf_printf(b, "<details%s><summary>", i < 3 ? " open" : "");
    buf_html(b, f->name);
    buf_str(b, "</summary><pre class=\"source\">");
    for (char *line = (char *)bytes.data, *end; *line; line = end) {
      end = line + strcspn(line, "\n");
      bool more = *end;
      *end = 0;
      buf_str(b, "<span>");
      buf_html(b, line);
      buf_str(b, "</span>\n");
      if (more) end++;
    }
    buf_str(b, "</pre></details>\n");
    free(bytes.data);
  }
  section_end(b);
}

/* ---- profile ---- */

static double number(json_t *row, const char *key) { return json_number_value(json_object_get(row, key)); }

static void put_string(Buf *b, json_t *row, const char *key) {
  const char *s = json_string_value(json_object_get(row, key));
  buf_html(b, s ? s : "");
}

static void put_share(Buf *b, double share) {
  share = share > 0 ? share < 1 ? share : 1 : 0;
  buf_printf(b, "<td class=\"n\">%.1f %%</td><td class=\"share\"><span style=\"width:%.1f%%\"></span></td>",
             100 * share, 100 * share);
}

static void put_rate(Buf *b, double amount, double seconds) {
  if (seconds > 0 && amount > 0) buf_printf(b, "<td class=\"n\">%.3g</td>", amount / seconds / 1e9);
  else buf_str(b, "<td></td>");
}

static void put_kernels(Buf *b, json_t *kernels) {
  size_t i;
  json_t *k;
  buf_str(b, "<h3>Kernels</h3><div class=\"wide\"><table><tr><th>kernel</th><th>place</th><th class=\"n\">calls</th>"
             "<th class=\"n\">ms</th><th class=\"n\">share</th><th></th><th class=\"n\">GF/s</th>"
             "<th class=\"n\">GB/s</th><th class=\"n\">of the limit</th></tr>\n");
  json_array_foreach(kernels, i, k) {
    if (i >= MOST_ROWS) break;
    double seconds = number(k, "seconds");
    buf_str(b, "<tr><td class=\"mono\" title=\"");
    put_string(b, k, "about");
    buf_str(b, "\">");
    put_string(b, k, "name");
    buf_str(b, "</td><td class=\"mono\">");
    put_string(b, k, "place");
    buf_printf(b, "</td><td class=\"n\">%.0f</td><td class=\"n\">%.3f</td>", number(k, "calls"), 1e3 * seconds);
    put_share(b, number(k, "share"));
    put_rate(b, number(k, "flops"), seconds);
    put_rate(b, number(k, "bytes"), seconds);
    buf_printf(b, "<td class=\"n\">%.0f %%</td></tr>\n", 100 * number(k, "limit_fraction"));
  }
  buf_str(b, "</table></div>\n");
}

static void put_lines(Buf *b, json_t *lines) {
  size_t i;
  json_t *x;
  buf_str(b, "<h3>Lines</h3><div class=\"wide\"><table><tr><th>line</th><th>text</th><th class=\"n\">ms</th>"
             "<th class=\"n\">share</th><th></th></tr>\n");
  json_array_foreach(lines, i, x) {
    if (i >= MOST_ROWS) break;
    buf_str(b, "<tr><td class=\"mono\">");
    put_string(b, x, "place");
    buf_str(b, "</td><td class=\"mono\">");
    put_string(b, x, "text");
    buf_printf(b, "</td><td class=\"n\">%.3f</td>", 1e3 * number(x, "seconds"));
    put_share(b, number(x, "share"));
    buf_str(b, "</tr>\n");
  }
  buf_str(b, "</table></div>\n");
}

static void put_rest(Buf *b, json_t *rest) {
  size_t i;
  json_t *x;
  json_array_foreach(rest, i, x) {
    buf_str(b, i ? ", " : "<p class=\"sub\">Outside of kernels: ");
    put_string(b, x, "name");
    buf_printf(b, " %.1f %%", 100 * number(x, "share"));
  }
  if (json_array_size(rest)) buf_str(b, "</p>\n");
}

void profile_section(Buf *b, const Run *run) {
  json_t *p = run->profile;
  section_begin(b, "profile", "Profile");
  json_t *machine = json_object_get(p, "machine");
  buf_str(b, "<p class=\"sub\">");
  put_string(b, p, "what");
  if (number(p, "steps") > 0) buf_printf(b, ": %.0f", number(p, "steps"));
  buf_printf(b, ", %.4g ms in all", 1e3 * number(p, "seconds"));
  if (number(machine, "flops") > 0)
    buf_printf(b, "; the machine's limits: %.3g GF/s and %.3g GB/s with %.0f threads", number(machine, "flops") / 1e9,
               number(machine, "bytes") / 1e9, number(machine, "threads"));
  buf_str(b, "</p>\n");
  put_lines(b, json_object_get(p, "lines"));
  put_kernels(b, json_object_get(p, "kernels"));
  put_rest(b, json_object_get(p, "rest"));
  section_end(b);
}
