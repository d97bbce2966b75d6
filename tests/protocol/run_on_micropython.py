# SPDX-License-Identifier: Apache-2.0
"""Run the test functions of one module under MicroPython, as pytest runs them under CPython.

`micropython run_on_micropython.py test_frame`: prints one line per test, exit status 1 if any failed. Modules that run
here import no
pytest and use no fixtures.
"""

import gc
import sys


def main() -> int:
    name = sys.argv[1]
    module = __import__(name)
    tests = sorted(key for key in dir(module) if key.startswith("test_") and callable(getattr(module, key)))
    failed = 0
    for key in tests:
        gc.collect()
        try:
            getattr(module, key)()
        except Exception as error:  # noqa: BLE001  Every failure is printed and counted.
            failed += 1
            print("FAILED", key)
            sys.print_exception(error)
        else:
            print("passed", key)
    print(len(tests) - failed, "passed,", failed, "failed")
    return 1 if failed or not tests else 0


sys.exit(main())
