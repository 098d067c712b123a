#include <stdio.h>

#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/output.h"

int verb_version(const Arguments *arguments)
{
        kd_client *client OWNED(kd_closep) = NULL;
        kd_value *map OWNED(kd_value_freep) = NULL;
        kd_error error;
        int r = connect_client(arguments, CONNECT_PLAIN, &client, &error);
        const char *daemon = r ? NULL : kd_daemon_version(client);

        if (!arguments_have(arguments, OPTION_JSON)) {
                printf("kernelsctl %s\nlibkernelsd %s\n", KERNELSD_VERSION, kd_version());
                printf("daemon %s\n", daemon ? daemon : "none answers");
                return 0;
        }
        map = kd_value_map();
        if (!map || kd_value_set(map, "kernelsctl", kd_value_string(KERNELSD_VERSION)) < 0 ||
            kd_value_set(map, "library", kd_value_string(kd_version())) < 0 ||
            kd_value_set(map, "daemon", daemon ? kd_value_string(daemon) : kd_value_nil()) < 0)
                return 1;
        return output_json("version", map);
}
