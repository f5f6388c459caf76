#define WHOLE_TILE 64
