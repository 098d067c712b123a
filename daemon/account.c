#include "daemon/account.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/log.h"
#include "proto/base/alloc.h"

/* Chains of the table; guess: a host has some dozens of domains. */
#define ACCOUNT_CHAINS 64

struct Account {
        Accounts *accounts;
        Account *next; /* of its chain */
        unsigned n_users;
        unsigned refused; /* bit by kind: a refusal was logged */
        size_t used[_ACCOUNT_MAX];
        uid_t uid;
        size_t cgroup_size;
        bool has_cgroup;
        char cgroup[];
};

/* What a uid has fetched in one hour of the clock. It stays when the uid's
 * sessions end, so that coming back does not make it forgotten. */
typedef struct Fetched {
        struct Fetched *next;
        uid_t uid;
        int64_t hour;
        int64_t n_bytes;
} Fetched;

struct Accounts {
        AccountLimits limits;
        Fetched *fetched;
        size_t used[_ACCOUNT_MAX];
        Account *chains[ACCOUNT_CHAINS];
        size_t n_accounts;
};

int accounts_new(const AccountLimits *limits, Accounts **ret_accounts)
{
        Accounts *accounts = alloc_zeroed(1, sizeof(*accounts));

        if (!accounts)
                return -ENOMEM;
        accounts->limits = *limits;
        *ret_accounts = accounts;
        return 0;
}

void accounts_set_limits(Accounts *accounts, const AccountLimits *limits)
{
        accounts->limits = *limits;
}

size_t accounts_total(const Accounts *accounts, AccountKind kind)
{
        return accounts->used[kind];
}

Accounts *accounts_free(Accounts *accounts)
{
        if (!accounts)
                return NULL;
        for (size_t i = 0; i < _ACCOUNT_MAX; i++)
                assert(accounts->used[i] == 0);
        assert(accounts->n_accounts == 0);
        while (accounts->fetched) {
                Fetched *fetched = accounts->fetched;

                accounts->fetched = fetched->next;
                alloc_free(fetched);
        }
        alloc_free(accounts);
        return NULL;
}

static Account **account_chain(Accounts *accounts, uid_t uid)
{
        return &accounts->chains[uid % ACCOUNT_CHAINS];
}

static bool account_is(const Account *account, uid_t uid, Text cgroup)
{
        return account->uid == uid && account->has_cgroup == !!cgroup.data && account->cgroup_size == cgroup.size &&
               (!cgroup.size || memcmp(account->cgroup, cgroup.data, cgroup.size) == 0);
}

int account_find(Accounts *accounts, uid_t uid, Text cgroup, Account **ret_account)
{
        Account **chain = account_chain(accounts, uid);
        Account *account;

        for (account = *chain; account; account = account->next)
                if (account_is(account, uid, cgroup))
                        break;
        if (!account) {
                account = alloc_zeroed(1, sizeof(*account) + cgroup.size);
                if (!account)
                        return -ENOMEM;
                account->accounts = accounts;
                account->uid = uid;
                account->has_cgroup = cgroup.data;
                account->cgroup_size = cgroup.size;
                if (cgroup.size)
                        memcpy(account->cgroup, cgroup.data, cgroup.size);
                account->next = *chain;
                *chain = account;
                accounts->n_accounts++;
        }
        *ret_account = account_ref(account);
        return 0;
}

Account *account_ref(Account *account)
{
        account->n_users++;
        return account;
}

Account *account_unref(Account *account)
{
        Account **link;

        if (!account || --account->n_users)
                return NULL;
        for (size_t i = 0; i < _ACCOUNT_MAX; i++)
                assert(account->used[i] == 0);
        for (link = account_chain(account->accounts, account->uid); *link != account; link = &(*link)->next)
                ;
        *link = account->next;
        account->accounts->n_accounts--;
        alloc_free(account);
        return NULL;
}

void account_log_refusal(Account *account, AccountKind kind)
{
        LogFields fields = LOG_FIELDS_NULL;

        if (account->refused & (1u << kind))
                return;
        account->refused |= 1u << kind;
        fields.uid = account->uid;
        fields.peer = true;
        log_warning(QUOTA, &fields, "refused uid %u%s%.*s more %s; further refusals are not logged", account->uid,
                    account->has_cgroup ? " in " : "", (int)account->cgroup_size, account->cgroup,
                    account_kind_title(kind));
}

static size_t room(size_t used, size_t limit)
{
        return used < limit ? limit - used : 0;
}

size_t account_room(const Account *account, AccountKind kind)
{
        const Accounts *accounts = account->accounts;
        size_t own = room(account->used[kind], accounts->limits.domain[kind]);
        size_t all = room(accounts->used[kind], accounts->limits.all[kind]);

        return accounts->limits.all[kind] && all < own ? all : own;
}

int charge_set(Charge *charge, Account *account, AccountKind kind, size_t n)
{
        Accounts *accounts = account->accounts;

        assert(!charge->account || (charge->account == account && charge->kind == kind));
        if (n > charge->n && n - charge->n > account_room(account, kind)) {
                account_log_refusal(account, kind);
                return 1;
        }
        if (!n) {
                charge_clear(charge);
                return 0;
        }
        if (!charge->account)
                *charge = (Charge){ .account = account_ref(account), .kind = kind };
        account->used[kind] += n - charge->n;
        accounts->used[kind] += n - charge->n;
        charge->n = n;
        return 0;
}

void charge_clear(Charge *charge)
{
        Account *account = charge->account;

        if (!account)
                return;
        assert(account->used[charge->kind] >= charge->n);
        account->used[charge->kind] -= charge->n;
        account->accounts->used[charge->kind] -= charge->n;
        *charge = CHARGE_NULL;
        account_unref(account);
}

const char *account_kind_title(AccountKind kind)
{
        static const char *const titles[] = {
#define K(name, title) [ACCOUNT_##name] = title,
                ACCOUNT_KINDS(K)
#undef K
        };

        return titles[kind];
}

/* --- what was fetched --- */

#define HOUR_S 3600

static Fetched *fetched_find(const Accounts *accounts, uid_t uid, int64_t hour)
{
        Fetched *fetched = accounts->fetched;

        while (fetched && (fetched->uid != uid || fetched->hour != hour))
                fetched = fetched->next;
        return fetched;
}

int64_t account_fetch_room(const Account *account, int64_t limit, int64_t now_s)
{
        const Fetched *fetched = fetched_find(account->accounts, account->uid, now_s / HOUR_S);
        int64_t used = fetched ? fetched->n_bytes : 0;

        return used < limit ? limit - used : 0;
}

/* One of another hour, to be used again; else a new one. */
static Fetched *fetched_take(Accounts *accounts, int64_t hour)
{
        Fetched *fetched = accounts->fetched;

        while (fetched && fetched->hour == hour)
                fetched = fetched->next;
        if (fetched)
                return fetched;
        fetched = alloc_zeroed(1, sizeof(*fetched));
        if (!fetched)
                return NULL;
        fetched->next = accounts->fetched;
        accounts->fetched = fetched;
        return fetched;
}

void account_fetched(Account *account, int64_t n_bytes, int64_t now_s)
{
        int64_t hour = now_s / HOUR_S;
        Fetched *fetched = fetched_find(account->accounts, account->uid, hour);

        if (!fetched) {
                fetched = fetched_take(account->accounts, hour);
                if (!fetched)
                        return; /* too little memory to be strict */
                *fetched = (Fetched){ .next = fetched->next, .uid = account->uid, .hour = hour };
        }
        if (__builtin_add_overflow(fetched->n_bytes, n_bytes, &fetched->n_bytes))
                fetched->n_bytes = INT64_MAX;
}
