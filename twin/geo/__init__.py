"""The city: from GIS and BIM files to layers, ground, blocks and grids.

city        what a planner holds: layers, terrain, interiors, bed, solids, check, save
ingest      from a source to a layer: read, normalise, complete, cut, record
sources     vector files and what can be wrong with them
layers      the columns of every layer
normalise   any frame into those columns; buildings, streets and ground complete them
terrain     elevation rasters; burn puts walls, gates and underpasses into them
solids      footprints to closed blocks
indoor      a building from inside; formats.ifc reads it
crs, grid   where things lie
findings    what is noteworthy; check looks for it
store       the city on disk
"""
