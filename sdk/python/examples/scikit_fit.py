"""A grid search with cross-validation: how strongly should a ridge regression be damped? The endpoint needs scikit-learn; this machine only to save the model.

    python3 scikit_fit.py --endpoint laptop --folds 10 --save model.pickle
"""
import argparse
import itertools
import pickle

import funcx


def score(alpha, fold, folds):
    """R2 of a model on one fold of the data, when it is fitted to the others."""
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge
    data, target = load_diabetes(return_X_y=True)
    # Each row belongs to one fold.
    held_out = [row % folds == fold for row in range(len(data))]
    fitted = [not out for out in held_out]
    # A plain float travels as JSON; a numpy.float64 would come back as a pickle.
    return float(Ridge(alpha).fit(data[fitted], target[fitted]).score(data[held_out], target[held_out]))


def fit(alpha):
    """A model of all data."""
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge
    return Ridge(alpha).fit(*load_diabetes(return_X_y=True))


def main():
    parser = argparse.ArgumentParser(description="A grid search with cross-validation.")
    parser.add_argument("--endpoint", required=True, help="where it runs; 'funcx endpoint list' names yours")
    parser.add_argument("--alphas", type=float, nargs="+", default=[0.001, 0.01, 0.1, 1.0, 10.0], help="strengths that are tried (0.001 0.01 0.1 1 10)")
    parser.add_argument("--folds", type=int, default=5, help="into how many parts the data is divided (5)")
    parser.add_argument("--save", help="a file for the best model, as a pickle")
    options = parser.parse_args()

    grid = list(itertools.product(options.alphas, range(options.folds)))
    scores = {alpha: [] for alpha in options.alphas}
    with funcx.Executor(options.endpoint) as executor:
        # Each fit is a task: all of them run at once where there are as many workers.
        results = executor.map(score, [alpha for alpha, _ in grid], [fold for _, fold in grid], itertools.repeat(options.folds))
        for (alpha, _), value in zip(grid, results):
            scores[alpha].append(value)
        means = {alpha: sum(values) / len(values) for alpha, values in scores.items()}
        for alpha, mean in means.items():
            print("alpha %-8g R2 %.4f" % (alpha, mean))
        best = max(means, key=lambda alpha: means[alpha])
        print("best: alpha %g" % best)
        if options.save:
            # The model itself comes back as a pickle, which is read from one's own endpoints only.
            model = executor.submit(fit, best).result()
            with open(options.save, "wb") as file:
                pickle.dump(model, file)
            print("saved a model with %d coefficients" % len(model.coef_))


if __name__ == "__main__":
    main()
