/* Prints the sections of kernelsctl(1) that the table of verbs and options makes. */
#include "client/kernelsctl/command.h"

int main(void)
{
        command_print_manual();
        return 0;
}
