#define WHOLE_TILE 64
using Element = double;
