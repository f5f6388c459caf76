// A template whose constant calls itself in many branches, on a number that nobody knows: it has no end.
template <int N> struct Rounded {
  static constexpr int value = N <= 1 ? 1
      : N % 2 ? Rounded<N + 1>::value : N % 3 ? 2 * Rounded<N / 2>::value : N % 5 ? Rounded<N / 3>::value
      : N % 7 ? Rounded<N / 5>::value : N % 11 ? Rounded<N / 7>::value : Rounded<N / 11>::value;
};
template <int N> __global__ void filled(float *x) { x[threadIdx.x] = N; }
template <typename T, int M> void launch(float *x) {
  constexpr int kSize = Rounded<sizeof(T) * M>::value;
  filled<kSize><<<1, kSize>>>(x);
}
void run(float *x) { filled<Rounded<8>::value><<<1, 32>>>(x); }
