using FuncX.Wire;

namespace FuncX.Workers;

/// <summary>What runs functions of one kind.</summary>
/// <typeparam name="TFunction">A function that can be called.</typeparam>
public interface IFunctionRunner<TFunction>
    where TFunction : class
{
    /// <summary>As <c>python 3.11.2</c>, for people.</summary>
    string Runtime { get; }

    /// <summary>Makes a function ready; what it throws is the answer to each of its tasks.</summary>
    TFunction Define(FunctionMessage function);

    /// <summary>Runs one task to its end. What it throws is the worker's end.</summary>
    Answer Run(TFunction function, in FrameHeader task, byte[] arguments, WorkerWelcome limits);
}
