/* The program's version. Floor 7. */
#ifndef SW_CMD_VERSION_H
#define SW_CMD_VERSION_H

/* "0.1.0"; static. */
const char *sw_version_text(void);

#endif
