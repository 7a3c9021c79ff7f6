@echo off
rem Starts llmpipe; builds it first. The build is incremental: where nothing changed it takes a few seconds.
rem LLMPIPE_NOBUILD=1 starts the program as it was built last.
setlocal
set "root=%~dp0"
set "program=%root%.build\program\llmpipe.dll"
where dotnet >nul 2>nul
if errorlevel 1 (
  echo llmpipe: the .NET SDK 10.0 is needed, and there is no dotnet on the PATH; see https://dotnet.microsoft.com/download 1>&2
  exit /b 1
)
if "%LLMPIPE_NOBUILD%"=="1" if exist "%program%" goto start
if not exist "%root%.build" mkdir "%root%.build"
set "publish=dotnet publish "%root%src\Cli\Cli.csproj" -c Release --nologo -v quiet -o "%root%.build\program""
rem With native code for a quick start; without it where its compiler cannot be had.
%publish% > "%root%.build\log" 2>&1
if errorlevel 1 %publish% -p:PublishReadyToRun=false > "%root%.build\log" 2>&1
if errorlevel 1 (
  type "%root%.build\log" 1>&2
  echo llmpipe: the build failed 1>&2
  exit /b 1
)
:start
dotnet "%program%" %*
exit /b %errorlevel%
