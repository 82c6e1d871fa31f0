// Functions for both types of number that torch learns in: a file includes itself once with REAL as float and once as
// double, and FN(name) is name_float or name_double.
#define REAL_JOIN(name, type) name##_##type
#define REAL_NAMED(name, type) REAL_JOIN(name, type)
#define FN(name) REAL_NAMED(name, REAL)
