import subprocess
import sys

import objectives


def test_importing_the_package_costs_no_torch():
    code = (
        "import sys, objectives, objectives.errors, objectives.homogenize, objectives.pymks_import;"
        "sys.exit('torch' in sys.modules or 'pymks' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_public_names_are_reached_from_the_package():
    assert callable(objectives.homogenize.effective_conductivity)
    assert callable(objectives.two_point.two_point_statistics)
    assert "effective_conductivity" in objectives.OBJECTIVES
