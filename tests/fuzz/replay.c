/* SPDX-License-Identifier: MIT
 *
 * main() of a fuzz target that is built without libFuzzer: runs the target
 * over every file of the directory given, so that the committed corpus, old
 * crashes among it, is a test.  Fails when there is no file to run.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <dirent.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *directory, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    size_t got = data ? fread(data, 1, (size_t)size, file) : 0;
    fclose(file);
    if (data == NULL || got != (size_t)size) {
        fprintf(stderr, "%s: cannot read\n", path);
        free(data);
        return 1;
    }
    LLVMFuzzerTestOneInput(data, got);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0, ran = 0;

    DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
    if (directory == NULL) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.') {
            failed += replay_file(argv[1], entry->d_name);
            ran++;
        }
    }
    closedir(directory);
    printf("%d inputs, %d failed\n", ran, failed);
    return ran > 0 && failed == 0 ? 0 : 1;
}
