/** A policy's file as a C header: what `minnow export --format c` writes. */

const WIDTH = 24; // bytes a line

/**
 * @param {Uint8Array} bytes
 * @param {string} name of the array: letters, digits and _, no digit first
 * @param {string} file in which the header is stored
 * @param {string} title
 */
export function header(bytes, name, file, title) {
  const rows = Array.from({ length: Math.ceil(bytes.length / WIDTH) }, (_, i) => `    ${bytes.subarray(i * WIDTH, (i + 1) * WIDTH).join(",")},`);
  return `/* ${(title || name).replaceAll("*/", "* /").replaceAll("\n", " ")}
 *
 * The bytes of a Minnow policy file (${bytes.length} bytes), for programs without a file system:
 *
 *     #define MINNOW_IMPLEMENTATION
 *     #include "minnow.h"
 *     #include "${file}"
 *
 *     size_t need = minnow_size(${name}, ${name}_size, &error);
 *     policy = minnow_load(${name}, ${name}_size, malloc(need), need, &error);
 *
 * Include it in one source file. The array is read in place and must outlive the policy.
 */
#ifndef MINNOW_POLICY_${name.toUpperCase()}
#define MINNOW_POLICY_${name.toUpperCase()}

#include <stddef.h>

#if defined(__cplusplus)
alignas(64)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Alignas(64)
#elif defined(__GNUC__)
__attribute__((aligned(64)))
#endif
static const unsigned char ${name}[${bytes.length}] = {
${rows.join("\n")}
};

static const size_t ${name}_size = sizeof ${name};

#endif
`;
}
