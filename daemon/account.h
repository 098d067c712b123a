/* Quotas by domain: the uid, or (uid, cgroup) where so configured. A charge is
 * embedded in what costs, so that its end gives it back; teardown asserts that
 * every account is back at zero, which finds leaks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/text.h"

/* constant, what a log line and a fault call it */
#define ACCOUNT_KINDS(K)                                               \
        K(SESSIONS, "sessions")                                        \
        K(BYTES, "bytes of input and output")                          \
        K(ENTRIES, "own entries of views")                             \
        K(HELD, "bytes of views and reports")                          \
        K(LEASES, "leases not released")                               \
        K(ACQUIRES, "waiting acquires")

typedef enum AccountKind {
#define K(name, title) ACCOUNT_##name,
        ACCOUNT_KINDS(K)
#undef K
        _ACCOUNT_MAX,
} AccountKind;

typedef struct Account Account;
typedef struct Accounts Accounts;

typedef struct AccountLimits {
        size_t domain[_ACCOUNT_MAX]; /* of each domain */
        size_t all[_ACCOUNT_MAX];    /* of all together; 0: no limit */
} AccountLimits;

typedef struct Charge {
        Account *account; /* NULL: nothing is charged */
        AccountKind kind;
        size_t n;
} Charge;

#define CHARGE_NULL ((Charge){ 0 })

int accounts_new(const AccountLimits *limits, Accounts **ret_accounts);

/* Limits that shrink take nothing away; they refuse what is new. */
void accounts_set_limits(Accounts *accounts, const AccountLimits *limits);

/* What all domains together hold. */
size_t accounts_total(const Accounts *accounts, AccountKind kind);

/* Asserts that nothing is charged any more. NULL is allowed; returns NULL. */
Accounts *accounts_free(Accounts *accounts);

/* The domain's account, made if need be; counted. cgroup absent: the uid alone. */
int account_find(Accounts *accounts, uid_t uid, Text cgroup, Account **ret_account);
Account *account_ref(Account *account);
Account *account_unref(Account *account);

/* How much more of a kind the account may have. */
size_t account_room(const Account *account, AccountKind kind);

/* Logs, once for an account and kind, that it was refused. */
void account_log_refusal(Account *account, AccountKind kind);

/* Sets what `charge` (all zero at first) takes of the account's `kind` to n.
 * 0, or 1: refused, the charge stays as it was. The first refusal for an
 * account and kind is logged. Giving back is never refused. */
int charge_set(Charge *charge, Account *account, AccountKind kind, size_t n);

/* Gives all back. */
void charge_clear(Charge *charge);

/* What was fetched for the domain within the hour that `now_s` lies in: how much
 * more may be, and that some was. */
int64_t account_fetch_room(const Account *account, int64_t limit, int64_t now_s);
void account_fetched(Account *account, int64_t n_bytes, int64_t now_s);

/* "leases not released" */
const char *account_kind_title(AccountKind kind);
