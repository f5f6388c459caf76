#pragma once
// A struct of the name that one of another namespace has that holds it.
namespace inner { struct Pair { float a, b; }; }
