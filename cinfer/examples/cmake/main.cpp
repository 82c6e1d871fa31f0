// main.cpp: ../act.c in C++, found by CMake.
#define MINNOW_IMPLEMENTATION
#include <minnow.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

int main(int argc, char **argv) {
    std::ifstream stream(argc > 1 ? argv[1] : "", std::ios::binary);
    const std::vector<char> file{std::istreambuf_iterator<char>(stream), {}}; // must outlive the policy
    minnow_error error;
    std::vector<unsigned char> block(minnow_size(file.data(), file.size(), &error));
    const minnow_policy *policy = minnow_load(file.data(), file.size(), block.data(), block.size(), &error);
    if (!policy) {
        std::fprintf(stderr, "%s\n", minnow_message(error.code));
        return 1;
    }
    std::vector<unsigned char> memory(minnow_session_size(policy, 1, 0));
    minnow_session *session = minnow_session_init(policy, 1, 0, 42, memory.data(), memory.size(), nullptr);

    std::vector<float> obs(minnow_input(policy, 0)->size);
    for (unsigned step = 0; step < 5; step++) {
        for (unsigned i = 0; i < obs.size(); i++)
            obs[i] = float((7 * step + 3 * i) % 11) * 0.25f - 1.0f;
        if (minnow_step(session, obs.data(), nullptr) != MINNOW_OK)
            return 1;
        std::printf("%d", int(minnow_action(session)[0]));
        for (unsigned i = 0; i < minnow_action_of(policy)->choices; i++)
            std::printf(" %.9g", double(minnow_logits(session)[i]));
        std::printf("\n");
    }
}
