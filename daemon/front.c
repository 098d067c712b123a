#include "daemon/front.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/kernel_interface.h"
#include "daemon/log.h"
#include "proto/base/error.h"

/* Whom the administrators' socket of the host belongs to. */
#define ADMIN_GROUP "kernelsd"

void front_prepare(Front *front)
{
        *front = (Front){ .passed = SERVICE_SOCKETS_NULL };
        for (size_t i = 0; i < _DOOR_MAX; i++)
                front->doors[i] = (Door){ .front = front, .made = LISTEN_PATH_NULL, .fd = -1 };
}

/* --- making the sockets --- */

/* The user's folder is made, where the default socket lies in it; any other is
 * the administrator's affair, and then places have none. */
static int front_make_folder(const Config *config, Fault *fault)
{
        int r;

        if (!config->places.runtime)
                return 0;
        r = places_make_runtime(config->places.runtime, geteuid());
        if (r == 0)
                return 0;
        return fault_set(fault, FAULT_DENIED, r == -EPERM ? "the folder %s is a link, belongs to somebody else, or is open to others: remove it"
                                                          : "the folder %s cannot be made", config->places.runtime);
}

/* Root alone has the socket where the group is missing. */
static void door_give_to_group(const Door *door)
{
        const struct group *group = getgrnam(ADMIN_GROUP);

        if (!group || chown(door->made.path, (uid_t)-1, group->gr_gid) < 0)
                log_warning(SERVICE, NULL, "there is no group " ADMIN_GROUP " to own %s: only root can use it",
                            door->made.path);
}

static int door_open(Door *door, int passed, const char *path, mode_t mode, Fault *fault)
{
        int r;

        if (passed >= 0) {
                door->fd = passed;
                return 0;
        }
        if (!path)
                return 0;
        r = listen_path_open(&door->made, path, mode, fault);
        if (r == 0)
                door->fd = door->made.fd;
        return r;
}

/* With only the clients' socket passed, systemd decides that there is no other,
 * unless the configuration names a place of its own for one. */
static bool front_wants_admin(const Front *front, const Config *config)
{
        const char *usual = config->places.admin_socket;

        if (front->passed.admin >= 0 || front->passed.public < 0)
                return true;
        return config->admin_socket && (!usual || strcmp(config->admin_socket, usual) != 0);
}

int front_open(Front *front, const Config *config, Fault *fault)
{
        Door *public = &front->doors[DOOR_PUBLIC], *admin = &front->doors[DOOR_ADMIN];
        int r;

        front->private = !config->system;
        front->by_cgroup = config->quota_domain == QUOTA_DOMAIN_CGROUP;
        r = service_take_sockets(&front->passed);
        if (r < 0)
                return error_trace(r);
        if (front->passed.public < 0) {
                r = front_make_folder(config, fault);
                if (r != 0)
                        return r;
        }
        r = door_open(public, front->passed.public, config->socket, config->system ? 0666 : 0600, fault);
        if (r == 0 && front_wants_admin(front, config))
                r = door_open(admin, front->passed.admin, config->admin_socket, config->system ? 0660 : 0600, fault);
        if (r != 0)
                return r;
        if (config->system && admin->made.path)
                door_give_to_group(admin);
        admin->admin = true;
        public->admin = front->private && admin->fd < 0;
        return 0;
}

/* --- letting peers in --- */

static int front_account(Front *front, int fd, const Identity *identity, Account **ret_account)
{
        char storage[IDENTITY_CGROUP_MAX];
        Text cgroup = TEXT_NULL;

        if (front->by_cgroup)
                (void)identity_cgroup(fd, identity, front->features, storage, &cgroup);
        return account_find(front->accounts, identity->uid, cgroup, ret_account);
}

static bool front_knows(const Front *front, const Identity *identity)
{
        return !front->private || identity->uid == geteuid() || identity->uid == 0;
}

/* SO_PASSRIGHTS is off already: sockets inherit it from the listening one. */
static void front_admit(void *data, int fd, bool spared)
{
        const Door *door = data;
        Front *front = door->front;
        Identity identity;
        Account *account;

        if (spared) {
                session_refuse(front->sessions, fd, FAULT_LIMIT, "the daemon is out of descriptors: try again later");
                return;
        }
        if (identity_read(fd, &identity) != 0 || !front_knows(front, &identity)) {
                session_refuse(front->sessions, fd, FAULT_DENIED, "this daemon serves another user: start your own, or ask the system's");
                return;
        }
        if (front_account(front, fd, &identity, &account) < 0) {
                session_refuse(front->sessions, fd, FAULT_LIMIT, "the daemon is short of memory: try again later");
                return;
        }
        (void)session_open(front->sessions, fd, &identity, account, door->admin);
        account_unref(account);
}

int front_accept(Front *front, Loop *loop, Accounts *accounts, Sessions *sessions, const KernelFeatures *features)
{
        int off = 0, r;

        front->loop = loop;
        front->accounts = accounts;
        front->sessions = sessions;
        front->features = features;
        for (size_t i = 0; i < _DOOR_MAX; i++) {
                Door *door = &front->doors[i];

                if (door->fd < 0)
                        continue;
                if (features->there[KERNEL_FEATURE_PASSRIGHTS])
                        (void)setsockopt(door->fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
                r = listener_new(loop, door->fd, front_admit, door, &door->listener);
                if (r < 0)
                        return r;
        }
        return 0;
}

void front_close(Front *front)
{
        for (size_t i = 0; i < _DOOR_MAX; i++) {
                listener_close(front->doors[i].listener);
                front->doors[i].listener = NULL;
        }
}

void front_deinit(Front *front)
{
        for (size_t i = 0; i < _DOOR_MAX; i++)
                listen_path_deinit(&front->doors[i].made);
        service_sockets_deinit(&front->passed);
}

const char *front_describe(const Front *front)
{
        const Door *door = &front->doors[DOOR_PUBLIC];

        return door->made.path ? door->made.path : "the socket that systemd passed";
}
