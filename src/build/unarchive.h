/* A tar archive taken apart: its entries in memory, its contents in numbered temporary files.
 *
 * Floor 5. Reading one belongs to one thread; as a source it may serve several.
 *
 * Nothing in the archive decides where a file is created here: contents are called 0, 1, 2 ... in a
 * directory of their own, and names, owners, modes, times and links stay what the archive says
 * (so they are right where this user could not have given them to a file). What the names mean is
 * decided when the entries are put into an image: copy_archive.c.
 */
#ifndef SW_BUILD_UNARCHIVE_H
#define SW_BUILD_UNARCHIVE_H

#include "build/source.h"

struct sw_archive_entry {
    struct sw_str path;  /* clean, relative; "" for the root */
    struct sw_node node; /* link: a symbolic link's target; a hard link's clean path */
    struct sw_digest digest;
    struct sw_str content; /* name of its file in the source; "" for none */
};

struct sw_unarchived {
    struct sw_store *store; /* borrowed */
    struct sw_arena arena;
    struct sw_archive_entry *entries;
    size_t n;
    char *temp;               /* owned; "" where there is no directory */
    struct sw_source *source; /* owned; opens contents */
};

/* fd: an archive as of archive_stream.h; borrowed. name: for messages. */
SW_NODISCARD enum sw_code sw_unarchive(struct sw_store *store, int fd, struct sw_str name,
                                       struct sw_unarchived **ret, struct sw_error *err);
/* Removes the contents. Takes NULL. */
void sw_unarchived_free(struct sw_unarchived *u);

#endif
