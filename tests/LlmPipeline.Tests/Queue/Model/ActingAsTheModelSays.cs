using CsCheck;

namespace LlmPipeline;

[Trait("Category", "Slow")]
public sealed class ActingAsTheModelSays
{
    /// <summary>
    /// Any sequence of operations: what each answers, where every job is after it, and every count, are what a plain model says. A failure is told with the
    /// shortest sequence that still fails, and with a seed that makes it again. More cases: the environment variable <c>TESTS_MODEL_CASES</c>.
    /// </summary>
    [Theory, ClassData(typeof(Stores))]
    public async Task After_every_step_of_any_sequence_each_job_is_in_its_one_place_and_counted_once(Store store)
    {
        QueueStep[]? failed = null;
        try
        {
            await QueueStep.Sequences.SampleAsync(
                async steps =>
                {
                    if (await ModelRun.FaultAsync(store, steps) is not { } fault)
                        return;
                    failed = steps;
                    throw new InvalidOperationException(fault);
                },
                iter: Amount.Of("TESTS_MODEL_CASES", 100),
                print: steps => $"{steps.Length} steps");
        }
        catch (CsCheckException e)
        {
            var (steps, fault) = await ShortestAsync(store, failed!);
            Assert.Fail($"{string.Join("; ", (object[])steps)}\n{fault}\n{e.Message}");
        }
    }

    /// <summary>Leaves out one step after the other for as long as the rest still fails.</summary>
    private static async Task<(QueueStep[] Steps, string? Fault)> ShortestAsync(Store store, QueueStep[] steps)
    {
        var fault = await ModelRun.FaultAsync(store, steps);
        int before;
        do
        {
            before = steps.Length;
            for (var n = steps.Length - 1; n >= 0; n--)
            {
                QueueStep[] fewer = [.. steps[..n], .. steps[(n + 1)..]];
                if (await ModelRun.FaultAsync(store, fewer) is { } still)
                    (steps, fault) = (fewer, still);
            }
        }
        while (steps.Length < before);

        return (steps, fault);
    }
}
