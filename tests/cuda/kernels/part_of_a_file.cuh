// Includes the part as well, without what it needs: nothing compiles this.
#include "part_of_a_file.cu"
