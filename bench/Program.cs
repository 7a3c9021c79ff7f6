using System.CommandLine;
using LlmPipeline.Bench;

return await new RootCommand("Measurements of LlmPipeline. Each command says what it measures.") { QuotaCommand.Create(), OwnDriver.Create() }.Parse(args).InvokeAsync();
