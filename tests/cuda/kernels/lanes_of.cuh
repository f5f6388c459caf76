#pragma once

#if defined(__HIP_PLATFORM_AMD__)
#if defined(__gfx90a__)
#define LANES 64
#else
#define LANES 32
#endif
#else
#define LANES 32
#endif
