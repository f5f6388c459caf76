struct Forward { static void draw(const dim3 grid, dim3 block, float *image, int width); };
struct Backward { static void draw(const dim3 grid, dim3 block, float *image, int width); };
