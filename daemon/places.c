#include "daemon/places.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/hub_places.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/base/text.h"

static char *places_copy(const char *path)
{
        return alloc_text(path, strlen(path));
}

static char *places_join(const char *folder, const char *name)
{
        size_t size = strlen(folder) + 1 + strlen(name) + 1;
        char *path = alloc_bytes(size);

        if (path)
                (void)snprintf(path, size, "%s/%s", folder, name);
        return path;
}

static bool is_absolute(const char *path)
{
        return path && path[0] == '/';
}

static const char *places_variable(const char *name)
{
        return getenv(name);
}

void places_facts(bool system, const char *config_dir, PlacesFacts *ret_facts)
{
        const struct passwd *account;
        struct stat st;
        char run_user[64];
        PlacesFacts facts = {
                .system = system,
                .uid = geteuid(),
                .config_dir = config_dir,
                .home = getenv("HOME"),
                .xdg_config_home = getenv("XDG_CONFIG_HOME"),
                .xdg_runtime_dir = getenv("XDG_RUNTIME_DIR"),
                .xdg_state_home = getenv("XDG_STATE_HOME"),
                .xdg_cache_home = getenv("XDG_CACHE_HOME"),
                .variable = places_variable,
        };

        (void)snprintf(run_user, sizeof(run_user), "/run/user/%lu", (unsigned long)facts.uid);
        facts.has_run_user = stat(run_user, &st) == 0 && S_ISDIR(st.st_mode);
        if (!system && !is_absolute(facts.home)) {
                account = getpwuid(facts.uid);
                facts.home = account ? account->pw_dir : NULL;
        }
        if (!getcwd(facts.folder, sizeof(facts.folder)))
                facts.folder[0] = 0;
        *ret_facts = facts;
}

static int places_add_folder(Places *places, char *folder)
{
        if (!folder)
                return error_trace(-ENOMEM);
        places->folders[places->n_folders++] = folder;
        return 0;
}

static int places_add_system_folders(Places *places)
{
        static const char *const folders[] = { "/usr/lib/kernelsd", "/etc/kernelsd", "/run/kernelsd-conf" };
        int r;

        _Static_assert(ARRAY_SIZE(folders) <= PLACES_MAX_FOLDERS, "room for the system's folders");
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                r = places_add_folder(places, places_copy(folders[i]));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int places_add_folders(Places *places, const PlacesFacts *facts)
{
        if (facts->config_dir)
                return places_add_folder(places, places_copy(facts->config_dir));
        if (facts->system)
                return places_add_system_folders(places);
        if (is_absolute(facts->xdg_config_home))
                return places_add_folder(places, places_join(facts->xdg_config_home, "kernelsd"));
        if (!is_absolute(facts->home))
                return error_trace(-ENOENT);
        return places_add_folder(places, places_join(facts->home, ".config/kernelsd"));
}

static int places_set_user_socket(Places *places, const PlacesFacts *facts)
{
        char folder[64];

        if (is_absolute(facts->xdg_runtime_dir)) {
                places->runtime = places_join(facts->xdg_runtime_dir, "kernelsd");
        } else {
                if (facts->has_run_user)
                        (void)snprintf(folder, sizeof(folder), "/run/user/%lu/kernelsd", (unsigned long)facts->uid);
                else
                        (void)snprintf(folder, sizeof(folder), "/tmp/kernelsd-%lu", (unsigned long)facts->uid);
                places->runtime = places_copy(folder);
        }
        if (!places->runtime)
                return error_trace(-ENOMEM);
        places->socket = places_join(places->runtime, "kernelsd.sock");
        return places->socket ? 0 : error_trace(-ENOMEM);
}

static int places_set_sockets(Places *places, const PlacesFacts *facts)
{
        if (!facts->system)
                return places_set_user_socket(places, facts);
        places->socket = places_copy("/run/kernelsd/kernelsd.sock");
        places->admin_socket = places_copy("/run/kernelsd-admin/admin.sock");
        return places->socket && places->admin_socket ? 0 : error_trace(-ENOMEM);
}

/* A daemon with folders of its own does not take what the user's keeps. */
static int places_set_state(Places *places, const PlacesFacts *facts)
{
        if (facts->config_dir)
                return 0;
        if (facts->system)
                places->state = places_copy("/var/lib/kernelsd");
        else if (is_absolute(facts->xdg_state_home))
                places->state = places_join(facts->xdg_state_home, "kernelsd");
        else if (is_absolute(facts->home))
                places->state = places_join(facts->home, ".local/state/kernelsd");
        else
                return 0;
        return places->state ? 0 : error_trace(-ENOMEM);
}

static int places_set_cache(Places *places, const PlacesFacts *facts)
{
        if (!facts->system)
                return hub_places(facts, &places->cache, &places->token);
        if (facts->config_dir)
                return 0;
        places->cache = places_copy("/var/cache/kernelsd/hub");
        return places->cache ? 0 : error_trace(-ENOMEM);
}

int places_init(Places *places, const PlacesFacts *facts)
{
        CLEANUP(places_deinit) Places made = PLACES_NULL;
        int r;

        r = places_add_folders(&made, facts);
        if (r < 0)
                return r;
        r = places_set_sockets(&made, facts);
        if (r == 0)
                r = places_set_state(&made, facts);
        if (r == 0)
                r = places_set_cache(&made, facts);
        if (r < 0)
                return r;
        *places = made;
        made = PLACES_NULL;
        return 0;
}

void places_deinit(Places *places)
{
        for (size_t i = 0; i < places->n_folders; i++)
                alloc_free(places->folders[i]);
        alloc_free(places->runtime);
        alloc_free(places->socket);
        alloc_free(places->admin_socket);
        alloc_free(places->state);
        alloc_free(places->cache);
        alloc_free(places->token);
        *places = PLACES_NULL;
}

static int places_subfolders(const Places *places, const char *name, Arena *arena, const char **ret_folders)
{
        for (size_t i = 0; i < places->n_folders; i++) {
                Text folder = arena_format(arena, "%s/%s", places->folders[i], name);

                if (!folder.data)
                        return error_trace(-ENOMEM);
                ret_folders[i] = folder.data;
        }
        return 0;
}

int places_mapping_folders(const Places *places, Arena *arena, const char *ret_folders[static PLACES_MAX_FOLDERS])
{
        return places_subfolders(places, "mapping.d", arena, ret_folders);
}

int places_environment_folders(const Places *places, Arena *arena, const char *ret_folders[static PLACES_MAX_FOLDERS])
{
        return places_subfolders(places, "environment.d", arena, ret_folders);
}

int places_make_runtime(const char *path, uid_t uid)
{
        struct stat st;

        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return error_trace(-errno);
        /* lstat: in /tmp anybody may have put a link here. */
        if (lstat(path, &st) < 0)
                return error_trace(-errno);
        if (!S_ISDIR(st.st_mode) || st.st_uid != uid || (st.st_mode & 077))
                return error_trace(-EPERM);
        return 0;
}
