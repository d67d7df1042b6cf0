"""Measures the pictures of a directory, and makes small ones of them. The endpoint needs Pillow; this machine does not.

    python3 image_processing.py --endpoint laptop --input photos --output small
"""
import argparse
import pathlib

import funcx

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".pgm", ".ppm", ".bmp")


def measure(name, data, size, threshold):
    """Size and brightness of a picture, and a small copy of it."""
    import io
    from PIL import Image
    try:
        with Image.open(io.BytesIO(data)) as picture:
            grey = picture.convert("L")
    except OSError:
        # One broken file does not end the whole run.
        return {"name": name, "problem": "is broken, or no picture"}
    counts = grey.histogram()
    pixels = sum(counts)
    result = {"name": name, "width": grey.width, "height": grey.height, "mean": sum(value * count for value, count in enumerate(counts)) / pixels,
              "bright": 100 * sum(counts[threshold:]) / pixels}
    grey.thumbnail((size, size))
    small = io.BytesIO()
    grey.save(small, "PNG")
    return {**result, "small": small.getvalue()}


def main():
    parser = argparse.ArgumentParser(description="Measures the pictures of a directory.")
    parser.add_argument("--endpoint", required=True, help="where it runs; 'funcx endpoint list' names yours")
    parser.add_argument("--input", required=True, type=pathlib.Path, help="a directory of pictures, each below 10 MB")
    parser.add_argument("--output", type=pathlib.Path, help="a directory for the small copies")
    parser.add_argument("--size", type=int, default=128, help="longest side of a small copy in pixels (128)")
    parser.add_argument("--threshold", type=int, default=128, help="from which brightness on a pixel is bright, 0 to 255 (128)")
    options = parser.parse_args()

    files = sorted(path for path in options.input.iterdir() if path.suffix.lower() in SUFFIXES)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    broken = 0
    with funcx.Executor(options.endpoint) as executor:
        # The files are read as room becomes free, and not all at once.
        results = executor.map(measure, (path.name for path in files), (path.read_bytes() for path in files), [options.size] * len(files),
                               [options.threshold] * len(files), window=64)
        for result in results:
            if "problem" in result:
                broken += 1
                print("%(name)s: %(problem)s" % result)
                continue
            print("%(name)s: %(width)d x %(height)d, mean %(mean).1f, bright %(bright).1f%%" % result)
            if options.output:
                (options.output / (result["name"] + ".png")).write_bytes(result["small"])
    print("%d pictures, %d broken" % (len(files), broken))


if __name__ == "__main__":
    main()
