// Calls a function of another file that launches a kernel.
#include "given_extents.cuh"
#define TILE 16
void render(float *image, int width, int height) {
  dim3 tiles((width + TILE - 1) / TILE, (height + TILE - 1) / TILE, 1), block(TILE, TILE, 1);
  Forward::draw(tiles, block, image, width);
}
