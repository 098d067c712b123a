#include "client/kernelsctl/command.h"

#include <stdint.h>

const Option option_table[_OPTION_MAX] = {
#define O(constant, spelling, takes, says) [OPTION_##constant] = { spelling, takes, says },
        OPTION_TABLE(O)
#undef O
};

const Command command_table[] = {
        { "resolve", "LAYER…", OPTIONS_QUERY, 1, SIZE_MAX, false, verb_resolve,
          "which kernel implements each layer",
          "Looks the layers up in the host mapping and shows for each the kernel, the build variant and where "
          "the mapping says so. Nothing is fetched or read." },
        { "explain", "LAYER", OPTIONS_QUERY, 1, 1, false, verb_explain,
          "why that kernel, and why not another",
          "As resolve for one layer, with every candidate of every step, taken or refused, and the reason." },
        { "acquire", "LAYER [-- COMMAND…]", OPTIONS_QUERY | OPTION_BIT(DEADLINE), 1, 1, true, verb_acquire,
          "have a kernel checked and print its folder",
          "Resolves the layer, has the kernel checked and takes a lease on it. Prints the folder of its variant "
          "and gives the lease back; with a command, runs that with the folder in KERNELSD_KERNEL and the lease "
          "in its hands until it ends." },
        { "mapping list", "", OPTIONS_SOCKET, 0, 0, false, verb_mapping_list,
          "the host mapping",
          "Shows the host mapping: each layer, device type, range and mode, the kernel, and what says so: a file, "
          "or `stored`. An entry that hides one of another source for the same layer, device type and range is "
          "followed by that one." },
        { "mapping check", "FILE…", OPTIONS_ALWAYS, 1, SIZE_MAX, false, verb_mapping_check,
          "check mapping files",
          "Checks mapping files without a daemon, by kernelsd --check-config." },
        { "mapping store", "FILE|-", OPTIONS_SOCKET, 1, 1, false, verb_mapping_store,
          "put entries on top of the mapping files",
          "Puts the entries of a mapping file into the stored mapping, which the daemon keeps and which lies on top of "
          "the mapping files. One for the same layer, device type and range is replaced. It is on the disk and in "
          "force when the verb ends." },
        { "mapping remove", "LAYER", OPTIONS_SOCKET | OPTION_BIT(DEVICE) | OPTION_BIT(MIN) | OPTION_BIT(MAX), 1, 1,
          false, verb_mapping_remove,
          "remove entries from what is stored",
          "Removes a layer from the stored mapping; with --device what is stored for that device type, with bounds "
          "the entry of that range. What a mapping file says is removed there." },
        { "mapping load", "FILE|-", OPTIONS_SOCKET, 1, 1, false, verb_mapping_load,
          "replace what is stored",
          "Replaces the stored mapping whole by that of a mapping file." },
        { "mapping dump", "", OPTIONS_SOCKET, 0, 0, false, verb_mapping_dump,
          "what is stored, as a mapping file",
          "Prints the stored mapping as a mapping file, for `mapping load`. With --json it is the text under `text`." },
        { "pin", "REPOSITORY VERSION|BRANCH COMMIT", OPTIONS_SOCKET, 3, 3, false, verb_pin,
          "say which commit a version or branch means",
          "Has a version (a whole number) or a branch of a repository mean that commit on this host, for everybody, "
          "until it is unpinned." },
        { "unpin", "REPOSITORY VERSION|BRANCH", OPTIONS_SOCKET, 2, 2, false, verb_unpin,
          "take a pin back",
          "Has the version or branch mean again what the Hub says." },
        { "pins", "", OPTIONS_SOCKET, 0, 0, false, verb_pins,
          "what is pinned",
          "Shows the pins. Version N is the branch vN." },
        { "clients", "", OPTIONS_SOCKET, 0, 0, false, verb_clients,
          "who is connected and holds what",
          "Shows the sessions of the daemon with what they hold: those of the own uid, or all of them where the "
          "admin socket can be opened." },
        { "status", "", OPTIONS_SOCKET, 0, 0, false, verb_status,
          "totals, and what is wrong",
          "Shows the daemon's totals. The exit status is 1 while the newest mapping files have errors, "
          "and while what is stored cannot be changed or was lost." },
        { "version", "", OPTIONS_SOCKET, 0, 0, false, verb_version,
          "versions of program, library and daemon",
          "Shows the version of the program and the library, and of the daemon if one answers." },
};

const size_t n_commands = sizeof(command_table) / sizeof(command_table[0]);
