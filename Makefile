# The short way in; CMake does the work (CMakeLists.txt).

BUILD ?= build

.PHONY: all test format clean

all: $(BUILD)/release/build.ninja
	@cmake --build $(BUILD)/release

$(BUILD)/release/build.ninja:
	@scripts/install-deps.sh build test
	@cmake -S . -B $(BUILD)/release -G Ninja -DSTRICT=ON >/dev/null

$(BUILD)/asan/build.ninja:
	@scripts/install-deps.sh build test
	@cmake -S . -B $(BUILD)/asan -G Ninja -DSTRICT=ON -DCMAKE_BUILD_TYPE=Debug \
	    "-DSANITIZE=address;undefined" >/dev/null

test: all $(BUILD)/asan/build.ninja
	@cmake --build $(BUILD)/asan
	@ctest --test-dir $(BUILD)/asan --output-on-failure
	@ctest --test-dir $(BUILD)/release --output-on-failure

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf $(BUILD)
