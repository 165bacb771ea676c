"""Surfaces and elements of voxels."""
