/* What the daemon calls itself towards the Hub: "kernelsd/0.1.0", and where
 * telemetry is not switched off also what it runs on and what is said of who uses
 * it: "kernelsd/0.1.0; Linux/x86_64; origin/…". */
#pragma once

#define USER_AGENT_SIZE 320

/* From the environment: HF_HUB_DISABLE_TELEMETRY, DISABLE_TELEMETRY, DO_NOT_TRACK,
 * HF_HUB_USER_AGENT_ORIGIN. */
void user_agent_make(char ret_text[static USER_AGENT_SIZE]);
