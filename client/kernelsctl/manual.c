/* Prints what docs/kernelsctl.1 has from the table of verbs and options. */
#include "client/kernelsctl/command.h"

int main(void)
{
        command_print_manual();
        return 0;
}
