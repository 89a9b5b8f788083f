/* The functions of mcu.h in a process, so that the same main() runs there and its answers can be compared. */
#include "mcu.h"
#include <stdio.h>
#include <stdlib.h>

void mcu_print(const char *text) { fputs(text, stdout); }
void mcu_exit(int status) { exit(status); }
unsigned mcu_stack(void) { return 0; }
