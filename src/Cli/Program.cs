using System.CommandLine;
using LlmPipeline;

GuardedWriter.Install();
if (ProcessLimits.Fault() is { } limit)
{
    Console.Error.WriteLine($"llmpipe: {limit}");
    return ExitCodes.Broke;
}

var root = new RootCommand("Sends prompts to an LLM in bulk and brings the completions back.")
{
    RunCommand.Create(),
    InitCommand.Create(),
    SubmitCommand.Create(),
    WorkCommand.Create(),
    ServeCommand.Create(),
    StatusCommand.Create(),
    WorkersCommand.Create(),
    ResultsCommand.Create(),
    ResultCommand.Create(),
    CancelCommand.Create(),
    RetryCommand.Create(),
    ForgetCommand.Create(),
    DeadCommand.Create(),
    QueuesCommand.Create(),
    DeploymentsCommand.Create(),
    DoctorCommand.Create(),
    SimulateCommand.Create(),
    CompletionCommand.Create(),
};
RootHelp.Install(root);

try
{
    if (Completion.Answer(root, args) is { } suggestions)
    {
        foreach (var suggestion in suggestions)
            Console.Out.WriteLine(suggestion);
        return ExitCodes.Done;
    }

    var parsed = root.Parse(args);
    if (UsageErrors.Of(parsed) is { Count: > 0 } faults)
        return Complaint.Of(parsed, faults);
    // Ctrl+C is each command's own matter: run finishes what it has paid for.
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
}
catch (Exception e)
{
    return Complaint.Of(e);
}
