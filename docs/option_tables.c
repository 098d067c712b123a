/* Prints the part of kernelsd(8) that the option table makes. */
#include "daemon/option.h"

int main(void)
{
        option_print_manual(stdout);
        return fflush(stdout) == 0 ? 0 : 1;
}
