#include "client/kernelsctl/command.h"

#include <stdint.h>

const Option option_table[_OPTION_MAX] = {
#define O(constant, spelling, takes, says) [OPTION_##constant] = { spelling, takes, says },
        OPTION_TABLE(O)
#undef O
};

const Command command_table[] = {
        { "resolve", "LAYER…", OPTIONS_QUERY | OPTION_BIT(FRESH), 1, SIZE_MAX, false, verb_resolve,
          "which kernel implements each layer",
          "Looks the layers up in the host mapping and shows for each the kernel, the build variant and where "
          "the mapping says so. Nothing is fetched or read." },
        { "explain", "LAYER", OPTIONS_QUERY, 1, 1, false, verb_explain,
          "why that kernel, and why not another",
          "As resolve for one layer, with every candidate of every step, taken or refused, and the reason." },
        { "acquire", "LAYER [-- COMMAND…]", OPTIONS_QUERY | OPTIONS_REVISION | OPTION_BIT(DEADLINE) | OPTION_BIT(REPO) |
          OPTION_BIT(FRESH) | OPTION_BIT(TRUST), 0, 1, true, verb_acquire,
          "have a kernel fetched and checked, and print its folder",
          "Resolves the layer, has the kernel fetched where it is not there, and checked, and takes a lease on it. "
          "With --repo and a version or revision instead of a layer it is that kernel. Prints the folder of its variant "
          "and gives the lease back; with a command, runs that with the folder in KERNELSD_KERNEL and the lease "
          "in its hands until it ends." },
        { "versions", "ORG/NAME", OPTIONS_SOCKET | OPTION_BIT(OFFLINE) | OPTION_BIT(DEADLINE), 1, 1, false, verb_versions,
          "which versions a repository has",
          "Shows the versions, branches and tags of a repository and the commits that they are. Where the Hub is not "
          "asked these are the ones that this host knows." },
        { "info", "ORG/NAME", OPTIONS_SUIT | OPTIONS_REVISION | OPTION_BIT(OFFLINE) | OPTION_BIT(DEADLINE), 1, 1, false,
          verb_info,
          "a repository, its versions and build variants",
          "Shows the versions of a repository and, of the one named (default: the highest, else main), the commit, whether "
          "its publisher is trusted, and each build variant: whether it suits the environment, why not, and whether it is "
          "on this host. Signatures are not checked." },
        { "refresh", "[ORG/NAME]", OPTIONS_SOCKET | OPTIONS_REVISION | OPTION_BIT(DEADLINE), 0, 1, false, verb_refresh,
          "ask the Hub for newer commits",
          "Asks the Hub for newer commits of a repository, or of all that has been fetched, and fetches them for every named "
          "environment and every one that uses them. The exit status is that of the first that failed." },
        { "prefetch", "[ORG/NAME]", OPTIONS_SUIT | OPTIONS_REVISION | OPTION_BIT(DEADLINE) | OPTION_BIT(LOCK) |
          OPTION_BIT(ENVIRONMENT) | OPTION_BIT(TRUST), 0, 1, false, verb_prefetch,
          "fetch kernels before anybody asks for them",
          "Fetches a version or revision of a repository, or all that a kernels.lock names, or, with neither, all that "
          "the host mapping names; for a named environment, for the one that the options describe, or for every named "
          "one. The exit status is that of the first that failed." },
        { "environment list", "", OPTIONS_SOCKET, 0, 0, false, verb_environment_list,
          "the environments that this host knows",
          "Shows the named environments, of files and stored ones, and those of programs that were seen." },
        { "environment add", "NAME", OPTIONS_SOCKET | OPTIONS_DEVICE | OPTIONS_FACTS | OPTION_BIT(REMOVE), 1, 1, false,
          verb_environment_add,
          "name an environment that kernels are fetched for",
          "Stores the environment that the options describe under a name, in place of one that was stored. With --remove "
          "takes that away." },
        { "cache list", "", OPTIONS_SOCKET, 0, 0, false, verb_cache_list,
          "the kernels in the cache",
          "Shows the complete kernels in the cache: repository, commit, variant, what stands for the commit, whether the "
          "files were checked, and when they were last acquired." },
        { "cache verify", "[ORG/NAME]", OPTIONS_SOCKET | OPTION_BIT(DEADLINE), 0, 1, false, verb_cache_verify,
          "hash the files in the cache anew",
          "Hashes the files of all kernels in the cache, or of those of one repository, and compares them with what their "
          "metadata states. The exit status is 8 if any differ. Signatures are not checked." },
        { "history", "", OPTIONS_SOCKET | OPTION_BIT(NUMBER), 0, 0, false, verb_history,
          "what was acquired and changed, and by whom",
          "Shows what was acquired and changed, the newest first: what the own uid did, or what all did where the admin "
          "socket can be opened. A line `report` is what a client said that it uses, with its reason: its word, which "
          "the daemon did not check; `original` means that it kept the layer's own code. A client that says the same "
          "again makes no line." },
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
          "admin socket can be opened. Below stands what they say that they use: for each layer and device the kernel that "
          "they put in place, or `original`, and why. That is the client's word, which the daemon did not check." },
        { "status", "", OPTIONS_SOCKET, 0, 0, false, verb_status,
          "totals, and what is wrong",
          "Shows the daemon's totals. The exit status is 1 while the newest mapping or environment files have errors, "
          "and while what is stored cannot be changed or was lost." },
        { "version", "", OPTIONS_SOCKET, 0, 0, false, verb_version,
          "versions of program, library and daemon",
          "Shows the version of the program and the library, and of the daemon if one answers." },
};

const size_t n_commands = sizeof(command_table) / sizeof(command_table[0]);
