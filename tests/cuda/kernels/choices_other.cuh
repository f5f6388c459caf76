#define __shfl_xor_sync(mask, value, lane) __shfl_xor(value, lane)
#define WHOLE_TILE 256
